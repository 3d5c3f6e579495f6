using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Frontend.Hosting;

namespace Serve.Frontend.Inference;

/// <summary>Which version a request is for, whatever transport brought it.</summary>
internal sealed class ModelLookup(ModelRegistry registry, ModelLoading loading)
{
    /// <summary>The version, which has one more request from now on.</summary>
    /// <exception cref="ServeException">404, or 503 as long as it may still come.</exception>
    public ModelVersion Accept(string model, string? version)
    {
        var target = Find(model, version);
        target.Metrics.RequestAccepted();
        return target;
    }

    /// <summary>The model of a request that names none: the only one that is registered.</summary>
    /// <exception cref="ServeException">400: there are more, or none; 503 as long as more may still come.</exception>
    public string OnlyModel()
    {
        if (!loading.IsDone) throw ModelLoading.NotYet();
        return registry.Names is [var only] ? only : throw new BadRequestException("Parameter model_name is required.");
    }

    /// <summary>The version.</summary>
    /// <exception cref="ServeException">404, or 503 as long as it may still come.</exception>
    public ModelVersion Find(string model, string? version)
    {
        try
        {
            return registry.Resolve(model, version);
        }
        catch (ServeException e) when (e.Status == StatusCodes.Status404NotFound && !loading.IsDone)
        {
            throw ModelLoading.NotYet(model);
        }
    }
}
