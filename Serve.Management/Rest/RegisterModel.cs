using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>POST /models</c>: parameters in the query or in a JSON body.</summary>
internal sealed class RegisterModel(ModelRegistry registry, bool enabled)
{
    public async Task HandleAsync(HttpContext context)
    {
        if (!enabled) throw new MethodNotAllowedException();
        CrossSite.Refuse(context.Request);
        var (status, text) = await RunAsync(await RequestParameters.ReadAsync(context), context.RequestAborted);
        await PrettyJson.WriteStatusAsync(context, status, text);
    }

    /// <summary>Registers what the parameters say.</summary>
    /// <returns>HTTP status, and a sentence.</returns>
    public async Task<(int Status, string Text)> RunAsync(RequestParameters parameters, CancellationToken cancellation)
    {
        if (!enabled) throw new MethodNotAllowedException();
        var request = Read(parameters);
        var version = await registry.RegisterAsync(request, cancellation);
        return Answer(version.Describe(), request.Synchronous);
    }

    internal static RegistrationRequest Read(RequestParameters parameters)
    {
        var url = parameters.Text("url") ?? throw new BadRequestException("Parameter url is required.");
        if (url.Length == 0) throw new ModelNotFoundException("empty url");
        CheckRuntime(parameters.Text("runtime"));
        _ = parameters.Flag("s3_sse_kms");
        return new RegistrationRequest
        {
            Url = url,
            Sha256 = NotEmpty(parameters, "sha256"),
            ModelName = NotEmpty(parameters, "model_name"),
            Handler = NotEmpty(parameters, "handler"),
            BatchSize = parameters.Integer("batch_size", least: 1),
            MaxBatchDelay = parameters.Time("max_batch_delay", TimeSpan.FromMilliseconds(1), least: 0),
            InitialWorkers = parameters.Integer("initial_workers", least: 0),
            ResponseTimeout = parameters.Time("response_timeout", TimeSpan.FromSeconds(1), least: 1),
            StartupTimeout = parameters.Time("startup_timeout", TimeSpan.FromSeconds(1), least: 1),
            Synchronous = parameters.Flag("synchronous") ?? true,
        };
    }

    internal static (int Status, string Text) Answer(ModelDescription version, bool synchronous)
    {
        var workers = version.Configuration.MinWorkers;
        var registered = $"Model \"{version.Name}\" Version: {version.Version} registered with {workers} initial workers";
        if (workers == 0) return (StatusCodes.Status200OK, registered + ". Use scale workers API to add workers for the model.");
        return synchronous
            ? (StatusCodes.Status200OK, registered)
            : (StatusCodes.Status202Accepted, ScaleWorkers.InProgress);
    }

    // A name that is there and empty is a mistake in a script, not a wish for the default.
    private static string? NotEmpty(RequestParameters parameters, string name) =>
        parameters.Text(name) is "" ? throw new BadRequestException($"Parameter {name} must not be empty.") : parameters.Text(name);

    // Accepted so that TorchServe's scripts work; handlers are .NET code or stock ones, whatever it says.
    private static void CheckRuntime(string? runtime)
    {
        if (runtime is null) return;
        if (runtime.ToUpperInvariant() is not ("PYTHON" or "PYTHON3" or "LSP" or "DOTNET"))
        {
            throw new BadRequestException($"Invalid RuntimeType value: {runtime}");
        }
    }
}
