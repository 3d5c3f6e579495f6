using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>PUT /models/{model}[/{version}]</c>: how many workers a version has.</summary>
internal sealed class ScaleWorkers(ModelRegistry registry)
{
    internal const string InProgress = "Processing worker updates...";

    public async Task HandleAsync(HttpContext context)
    {
        var parameters = await RequestParameters.ReadAsync(context);
        var (min, max) = Read(parameters);
        var synchronous = parameters.Flag("synchronous") ?? false;
        var model = context.Model();
        var version = context.Version() ?? parameters.Text("model_version");
        await registry.ScaleAsync(model, version, min, max, synchronous, context.RequestAborted);
        if (!synchronous)
        {
            await PrettyJson.WriteStatusAsync(context, StatusCodes.Status202Accepted, InProgress);
            return;
        }

        var text = $"Workers scaled to {min} for model: {model}";
        await PrettyJson.WriteStatusAsync(context, StatusCodes.Status200OK, version is null ? text : $"{text}, version: {version}");
    }

    internal static (int Min, int Max) Read(RequestParameters parameters)
    {
        var min = parameters.Integer("min_worker", least: 0) ?? 1;
        var max = parameters.Integer("max_worker", least: int.MinValue) ?? min;
        if (max < min) throw new BadRequestException("max_worker cannot be less than min_worker.");
        return (min, max);
    }
}
