namespace Serve.Tests.EndToEnd.Tracing;

/// <summary>A server that traces what its clients decide to have traced, and the collector that it sends the traces to.</summary>
public sealed class TracedServer : IAsyncLifetime
{
    private static readonly Dictionary<string, string> Soon = new() { ["OTEL_BSP_SCHEDULE_DELAY"] = "50" };

    private Collector? _collector;
    private ServerFixture? _server;

    internal Collector Collector => _collector ?? throw new InvalidOperationException("The collector has not been started.");

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    /// <summary>Starts a server for one test.</summary>
    internal static Task<ServerFixture> StartAsync(ITestOutputHelper? output, IReadOnlyDictionary<string, string> environment, IReadOnlyList<string> models, params string[] flags) =>
        ServerFixture.StartAsync(new ServerOptions { Models = models, Flags = flags, Environment = Soon.Concat(environment).ToDictionary() }, output);

    public async ValueTask InitializeAsync()
    {
        _collector = await Collector.StartAsync(isGrpc: true);
        _server = await StartAsync(null, new Dictionary<string, string>(), ["fashion-vit"], "--load-models", "fashion-vit", "--tracing-endpoint", _collector.Url, "--tracing-sampling-ratio", "0");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        if (_collector is not null) await _collector.DisposeAsync();
    }
}

/// <summary>A client's span: what it sends as <c>traceparent</c>.</summary>
/// <param name="Trace">The trace.</param>
/// <param name="Id">The span.</param>
internal sealed record ClientSpan(string Trace, string Id)
{
    /// <summary>A new trace's.</summary>
    public static ClientSpan New() => new(Convert.ToHexStringLower(Guid.NewGuid().ToByteArray()), Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 8)));

    /// <summary>The header.</summary>
    /// <param name="isSampled">Whether the client has its trace recorded.</param>
    public (string, string) Header(bool isSampled = true) => ("traceparent", $"00-{Trace}-{Id}-{(isSampled ? "01" : "00")}");
}
