using System.IO.Compression;
using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Serve.Tests.EndToEnd.Tracing.Otlp;

namespace Serve.Tests.EndToEnd.Tracing;

/// <summary>A collector of traces in this process: takes OTLP over gRPC or over HTTP, and keeps what comes.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private readonly List<SpanView> _spans = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Collector(bool isGrpc, HttpsConnectionAdapterOptions? tls)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = isGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1;
            if (tls is not null) listen.UseHttps(tls);
        }));
        builder.Services.AddRoutingCore();
        builder.Services.AddLogging();
        builder.Services.AddSingleton(this);
        builder.Services.AddGrpc();
        _app = builder.Build();
        _app.MapGrpcService<Service>();
        _app.MapPost("/v1/traces", ReceiveAsync);
    }

    public string Url { get; private set; } = "";

    /// <summary>Headers of the last export.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; private set; } = new Dictionary<string, string>();

    /// <summary>Attributes of the resource that sent the last export.</summary>
    public IReadOnlyDictionary<string, string> Resource { get; private set; } = new Dictionary<string, string>();

    public static async Task<Collector> StartAsync(bool isGrpc, HttpsConnectionAdapterOptions? tls = null)
    {
        var collector = new Collector(isGrpc, tls);
        await collector._app.StartAsync();
        collector.Url = collector._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return collector;
    }

    /// <summary>Waits until what has come is enough.</summary>
    /// <returns>All spans so far.</returns>
    public async Task<IReadOnlyList<SpanView>> WaitForAsync(Func<IReadOnlyList<SpanView>, bool> isEnough)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            Task more;
            IReadOnlyList<SpanView> spans;
            lock (_gate) (spans, more) = ([.. _spans], _more.Task);
            if (isEnough(spans)) return spans;
            try
            {
                await more.WaitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"The spans that are waited for have not come. There are:\n{string.Join('\n', spans)}");
            }
        }
    }

    /// <summary>Waits for a trace's server span, with which all spans below it have come or will come with the same export.</summary>
    public Task<IReadOnlyList<SpanView>> WaitForTraceAsync(params string[] traces) =>
        WaitForAsync(spans => traces.All(trace => spans.Any(span => span.Trace == trace && span.IsServer)));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        var isPacked = context.Request.Headers.ContentEncoding == "gzip";
        await (isPacked ? new GZipStream(context.Request.Body, CompressionMode.Decompress) : context.Request.Body).CopyToAsync(body, context.RequestAborted);
        Take(ExportTraceServiceRequest.Parser.ParseFrom(body.ToArray()), context.Request.Headers);
        context.Response.ContentType = "application/x-protobuf";
    }

    private void Take(ExportTraceServiceRequest request, IHeaderDictionary headers)
    {
        TaskCompletionSource told;
        lock (_gate)
        {
            Headers = headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
            Resource = request.ResourceSpans.SelectMany(of => of.Resource.Attributes).DistinctBy(attribute => attribute.Key).ToDictionary(attribute => attribute.Key, SpanView.Text);
            _spans.AddRange(request.ResourceSpans.SelectMany(of => of.ScopeSpans).SelectMany(of => of.Spans).Select(span => new SpanView(span)));
            (told, _more) = (_more, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        told.SetResult();
    }

    private sealed class Service(Collector collector) : TraceService.TraceServiceBase
    {
        public override Task<ExportTraceServiceResponse> Export(ExportTraceServiceRequest request, ServerCallContext context)
        {
            collector.Take(request, context.GetHttpContext().Request.Headers);
            return Task.FromResult(new ExportTraceServiceResponse());
        }
    }
}
