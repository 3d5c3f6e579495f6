using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Frontend.Inference;

namespace Serve.Frontend.OpenInference;

/// <summary>
/// Which version a request of the protocol is for, with the texts that its clients look for. Version names are those of the
/// registry, any text; no version is the default one.
/// </summary>
/// <param name="models">The models.</param>
internal sealed class OpenInferenceModels(ModelLookup models)
{
    /// <summary>The version, which has one more request from now on.</summary>
    /// <exception cref="ServeException">As <see cref="Find"/>.</exception>
    public ModelVersion Accept(string model, string? version)
    {
        var target = Find(model, version);
        target.Metrics.RequestAccepted();
        return target;
    }

    /// <summary>The version, ready or not.</summary>
    /// <exception cref="ServeException">404, or 503 as long as it may still come.</exception>
    public ModelVersion Find(string model, string? version)
    {
        try
        {
            return models.Find(model, version);
        }
        catch (ModelNotFoundException)
        {
            throw new ModelNotFoundException($"Request for unknown model: '{ShownText.Of(model)}' is not found");
        }
        catch (ModelVersionNotFoundException)
        {
            throw new ModelVersionNotFoundException($"Request for unknown model: '{model}' version {ShownText.Of(version!)} is not found");
        }
    }

    /// <summary>The version, if it has ever been ready to say what it takes.</summary>
    /// <exception cref="ServeException">404; 503 if it is not ready.</exception>
    public ModelVersion FindReady(string model, string? version)
    {
        var found = Find(model, version);
        return found.State is ModelState.Ready or ModelState.Recovering ? found : throw NotReady(found);
    }

    private static ServiceUnavailableException NotReady(ModelVersion version) =>
        new($"Request for unknown model: '{version.Name}' version {version.Version} is not at ready state", TimeSpan.FromSeconds(1));
}
