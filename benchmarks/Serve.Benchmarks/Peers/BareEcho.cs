using System.Buffers;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Peers;

/// <summary>
/// The limit of carrying large bodies in and out: Kestrel with its defaults and one delegate, which reads a body whole into a
/// pooled array, as a server must that gives it to somebody else, and answers with it.
/// </summary>
internal sealed class BareEcho : IDisposable
{
    /// <summary>The first argument that turns this program into the peer.</summary>
    public const string Verb = "peer-echo";

    private const int PieceBytes = 64 << 10;

    private readonly PeerProcess _process = new([Verb], new Dictionary<string, string>());

    public BareEcho() => Address = new IPEndPoint(IPAddress.Loopback, int.Parse(_process.Read(), CultureInfo.InvariantCulture));

    public int Pid => _process.Pid;

    public IPEndPoint Address { get; }

    public void Dispose() => _process.Dispose();

    /// <summary>The peer's own main program.</summary>
    public static async Task RunAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        var app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync();
        Console.WriteLine(new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port);
        while (await Console.In.ReadLineAsync() is not null)
        {
            // Until whoever started it leaves.
        }

        await app.StopAsync();
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        var length = (int)context.Request.ContentLength!.Value;
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        var filled = 0;
        while (true)
        {
            var read = await context.Request.BodyReader.ReadAsync();
            read.Buffer.CopyTo(bytes.AsSpan(filled));
            filled += (int)read.Buffer.Length;
            context.Request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        context.Response.ContentLength = length;
        for (var at = 0; at < length; at += PieceBytes) await context.Response.BodyWriter.WriteAsync(bytes.AsMemory(at, Math.Min(PieceBytes, length - at)));
        ArrayPool<byte>.Shared.Return(bytes);
    }
}
