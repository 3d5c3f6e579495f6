using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Serve.Benchmarks.Peers;

/// <summary>A collector of traces (OTLP over gRPC) that takes whatever comes, counts its bytes, and does nothing with it.</summary>
internal sealed class TraceSink : IDisposable
{
    // A message that is not compressed, of no bytes.
    private static readonly byte[] EmptyAnswer = new byte[5];

    private readonly WebApplication _app;
    private long _bytes;

    public TraceSink()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        _app = builder.Build();
        _app.Run(TakeAsync);
        _app.StartAsync().GetAwaiter().GetResult();
        Url = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
    }

    public string Url { get; }

    /// <summary>What has come so far.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public void Dispose() => _app.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task TakeAsync(HttpContext context)
    {
        while (true)
        {
            var read = await context.Request.BodyReader.ReadAsync();
            Interlocked.Add(ref _bytes, read.Buffer.Length);
            context.Request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        context.Response.ContentType = "application/grpc";
        await context.Response.BodyWriter.WriteAsync(EmptyAnswer);
        context.Response.AppendTrailer("grpc-status", "0");
    }
}
