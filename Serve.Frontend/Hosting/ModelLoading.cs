using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Models;

namespace Serve.Frontend.Hosting;

/// <summary>The registration of the models that the configuration names, in the background of the server's start.</summary>
internal sealed partial class ModelLoading
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ModelRegistry _registry;
    private readonly ILogger _log;
    private readonly Task _done;

    /// <summary>Begins.</summary>
    public ModelLoading(ModelRegistry registry, ILogger log)
    {
        (_registry, _log) = (registry, log);
        _done = Task.Run(LoadAsync);
    }

    /// <summary>Whether every model that the configuration names is registered, or known not to be. Hot path.</summary>
    public bool IsDone => _done.IsCompleted;

    /// <summary>What a request is told for a model that may still come.</summary>
    public static ServiceUnavailableException NotYet(string model) =>
        new($"Model \"{ShownText.Of(model)}\" is not registered yet: the server is starting.", TimeSpan.FromSeconds(1));

    /// <summary>What a request is told that names no model, before it is known which models there are.</summary>
    public static ServiceUnavailableException NotYet() => new("Not all models are registered yet: the server is starting. Name one.", TimeSpan.FromSeconds(1));

    /// <summary>Registers nothing more, and waits for what is being registered.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _done;
        _stop.Dispose();
    }

    private async Task LoadAsync()
    {
        try
        {
            await _registry.LoadAtStartupAsync(_stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            LogStopped();
        }
        catch (Exception e)
        {
            // The server goes on: models can still be registered over the management API.
            LogFailed(e);
        }
    }

    [LoggerMessage(30, LogLevel.Information, "The server stops before all models were registered")]
    private partial void LogStopped();

    [LoggerMessage(31, LogLevel.Error, "Registering the models at start failed")]
    private partial void LogFailed(Exception exception);
}
