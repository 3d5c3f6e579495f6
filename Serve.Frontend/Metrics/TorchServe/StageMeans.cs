using Serve.Core.Models;
using Serve.Core.Observability;

namespace Serve.Frontend.Metrics.TorchServe;

/// <summary>
/// The mean times of the requests since the last reading; where there were none, those of the reading before. TorchServe's
/// gauges have the last request's time, which says less and would have to be written for each request.
/// </summary>
internal sealed class StageMeans
{
    private readonly Dictionary<ModelVersion, StageTotals> _before = [];
    private Dictionary<string, StageTotals> _ofModels = [];

    /// <summary>Of all models together; no requests, no means.</summary>
    public StageTotals OfServer { get; private set; }

    /// <summary>By model, the mean of all its versions.</summary>
    public IReadOnlyDictionary<string, StageTotals> OfModels => _ofModels;

    /// <summary>Takes a reading.</summary>
    public void Update(IReadOnlyList<ModelVersion> versions)
    {
        var models = new Dictionary<string, StageTotals>(StringComparer.Ordinal);
        foreach (var version in versions)
        {
            var now = version.Metrics.StageTotals;
            models[version.Name] = models.GetValueOrDefault(version.Name) + (now - _before.GetValueOrDefault(version));
            _before[version] = now;
        }

        var all = models.Values.Aggregate(default(StageTotals), static (sum, model) => sum + model);
        if (all.Requests > 0) OfServer = all;
        _ofModels = models.ToDictionary(model => model.Key, model => model.Value.Requests > 0 ? model.Value : _ofModels.GetValueOrDefault(model.Key), StringComparer.Ordinal);
        foreach (var gone in _before.Keys.Except(versions).ToList()) _before.Remove(gone);
    }

    /// <summary>A mean in milliseconds.</summary>
    /// <param name="seconds">What the requests have spent.</param>
    /// <param name="requests">How many they are.</param>
    public static double? Milliseconds(double seconds, long requests) => requests > 0 ? seconds * 1000 / requests : null;
}
