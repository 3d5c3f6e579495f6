using Serve.Core.Errors;
using Serve.Core.Observability;

namespace Serve.Core.Models;

/// <summary>What a version can do, by its workers; and what requests are told that come to one that cannot serve them.</summary>
internal static class VersionState
{
    /// <summary>The state.</summary>
    /// <param name="isDraining">It takes nothing more.</param>
    /// <param name="places">Workers that it should have.</param>
    /// <param name="ready">Those that take requests.</param>
    /// <param name="hasFailed">Its workers are not tried again.</param>
    /// <param name="wasReady">It has served before.</param>
    public static ModelState Of(bool isDraining, int places, int ready, bool hasFailed, bool wasReady)
    {
        if (isDraining) return ModelState.Draining;
        if (ready > 0) return ModelState.Ready;
        if (places == 0) return ModelState.Idle;
        if (hasFailed) return ModelState.Failed;
        return wasReady ? ModelState.Recovering : ModelState.Loading;
    }

    /// <summary>Whether no worker takes requests, and none is on its way: what waits would wait for nothing.</summary>
    /// <param name="places">Workers that it should have.</param>
    /// <param name="ready">Those that take requests.</param>
    /// <param name="hasFailed">Its workers are not tried again.</param>
    public static bool IsServedByNobody(int places, int ready, bool hasFailed) => ready == 0 && (places == 0 || hasFailed);

    /// <summary>Why a request is refused, for the metrics and for its client, and when to try again.</summary>
    /// <param name="state">One in which nothing is served.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="version">The version.</param>
    /// <param name="failure">Why it has failed, if it has.</param>
    public static (RejectReason Reason, ServiceUnavailableException Error) Refusal(ModelState state, string model, string version, string? failure) => state switch
    {
        ModelState.Loading => (RejectReason.NoWorker, new ServiceUnavailableException($"Model \"{model}\" Version {version} is loading; no worker is ready yet.", TimeSpan.FromSeconds(1))),
        ModelState.Failed => (RejectReason.Failed, new ServiceUnavailableException($"Model \"{model}\" Version {version} has failed: {failure}. Scale its workers to try again.", TimeSpan.FromSeconds(30))),
        ModelState.Draining => (RejectReason.Draining, new ServiceUnavailableException($"Model \"{model}\" Version {version} takes no more requests: it is being unregistered, or the server stops.", TimeSpan.FromSeconds(5))),

        // TorchServe's text.
        _ => (RejectReason.NoWorker, new ServiceUnavailableException($"Model \"{model}\" has no worker to serve inference request. Please use scale workers API to add workers.", TimeSpan.FromSeconds(10))),
    };
}
