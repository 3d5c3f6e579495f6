using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Peers;

/// <summary>
/// A collector of traces (OTLP over gRPC) that takes whatever comes, counts its bytes, and does nothing with it; in a process
/// of its own, so that what it uses of the processor is known.
/// </summary>
internal sealed class TraceSink : IDisposable
{
    /// <summary>The first argument that turns this program into the peer.</summary>
    public const string Verb = "peer-traces";

    // As a collector is configured that many servers send to: not a round trip for every 64 KiB.
    private const int WindowBytes = 8 << 20;

    // A message that is not compressed, of no bytes.
    private static readonly byte[] EmptyAnswer = new byte[5];

    private static long _bytes;

    private readonly PeerProcess _process = new([Verb], new Dictionary<string, string>());

    public TraceSink() => Url = $"http://127.0.0.1:{_process.Read()}";

    public int Pid => _process.Pid;

    public string Url { get; }

    /// <summary>What has come so far.</summary>
    public long CountBytes()
    {
        _process.Write("");
        return long.Parse(_process.Read(), CultureInfo.InvariantCulture);
    }

    public void Dispose() => _process.Dispose();

    /// <summary>The peer's own main program.</summary>
    public static async Task RunAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.InitialConnectionWindowSize = kestrel.Limits.Http2.InitialStreamWindowSize = WindowBytes;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        app.Run(TakeAsync);
        await app.StartAsync();
        Console.WriteLine(new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port);
        while (await Console.In.ReadLineAsync() is not null) Console.WriteLine(Interlocked.Read(ref _bytes).ToString(CultureInfo.InvariantCulture));
        await app.StopAsync();
    }

    private static async Task TakeAsync(HttpContext context)
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
