namespace Serve.Tests.EndToEnd;

/// <summary>
/// A server whose models show what arrives at a handler: <c>headers</c> (versions 1.0 and 2.0) answers with the request as
/// JSON, <c>echo</c> with its body, <c>failing</c> with what the body says. Pages of https://app.example.com may call it.
/// </summary>
public sealed class RouteServer : IAsyncLifetime
{
    internal const string Origin = "https://app.example.com";

    private ServerFixture? _server;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    public async ValueTask InitializeAsync()
    {
        _server = await HandlerServer.StartAsync(null, "--cors-allowed-origin", $"{Origin},https://other.example.com", "--cors-allowed-headers", "content-type,x-mine");
        await Server.ServeAsync("headers", "HeaderEchoHandler");
        await Server.ServeAsync("headers", "HeaderEchoHandler", version: "2.0");
        await Server.ServeAsync("echo", "EchoHandler", "batchSize: 4");
        await Server.ServeAsync("failing", "FailingHandler");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}
