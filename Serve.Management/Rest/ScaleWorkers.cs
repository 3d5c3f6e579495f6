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
        var (status, text) = await RunAsync(context.Model(), context.Version(), await RequestParameters.ReadAsync(context), context.RequestAborted);
        await PrettyJson.WriteStatusAsync(context, status, text);
    }

    /// <summary>Scales to what the parameters say.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version; null: the parameter <c>model_version</c>, else the default.</param>
    /// <param name="parameters">The numbers.</param>
    /// <param name="cancellation">Stops waiting; the scaling goes on.</param>
    /// <returns>HTTP status, and a sentence.</returns>
    public async Task<(int Status, string Text)> RunAsync(string model, string? version, RequestParameters parameters, CancellationToken cancellation)
    {
        var (min, max) = Read(parameters);
        var synchronous = parameters.Flag("synchronous") ?? false;
        version ??= parameters.Text("model_version");
        await registry.ScaleAsync(model, version, min, max, synchronous, cancellation);
        if (!synchronous) return (StatusCodes.Status202Accepted, InProgress);

        var text = $"Workers scaled to {min} for model: {model}";
        return (StatusCodes.Status200OK, version is null ? text : $"{text}, version: {version}");
    }

    internal static (int Min, int Max) Read(RequestParameters parameters)
    {
        var min = parameters.Integer("min_worker", least: 0) ?? 1;
        var max = parameters.Integer("max_worker", least: int.MinValue) ?? min;
        if (max < min) throw new BadRequestException("max_worker cannot be less than min_worker.");
        return (min, max);
    }
}
