namespace Serve.Tests.EndToEnd;

/// <summary>A server with one model that streams as tests say, one request at a time, for all tests of streams.</summary>
public sealed class SteppedServer : IAsyncLifetime
{
    /// <summary>The model's name.</summary>
    internal const string Model = "stepped";

    private readonly Steps _steps = new();
    private readonly HandlerServer _server = new();

    internal ServerFixture Server => _server.Server;

    /// <summary>The model's handler.</summary>
    internal Steps.Worker Handler { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await _server.InitializeAsync();
        Handler = await _steps.ServeAsync(Server, Model);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _steps.Dispose();
    }
}

/// <summary>The tests that share it, which run one after the other.</summary>
[CollectionDefinition(nameof(SteppedServer))]
public sealed class SteppedServerTests : ICollectionFixture<SteppedServer>;
