namespace Serve.Tests.EndToEnd;

/// <summary>A server without models, for all tests of a class: each registers what it needs under a name of its own.</summary>
public sealed class HandlerServer : IAsyncLifetime
{
    private ServerFixture? _server;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    /// <summary>Starts a server for one test. It loads nothing by itself: a test writes models into its store while it starts.</summary>
    internal static Task<ServerFixture> StartAsync(ITestOutputHelper? output, params string[] flags) =>
        ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--load-models", "none", .. flags] }, output);

    public async ValueTask InitializeAsync() => _server = await StartAsync(null);

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}
