using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Serve.Benchmarks.NoOp;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Peers;

/// <summary>
/// The limit of what an ASP.NET Core server can do here: Kestrel with one terminal delegate, no routing, no logging, no
/// filters. It reads the request's body to its end and answers what the no-op model answers.
/// </summary>
internal sealed class BareKestrel : IDisposable
{
    /// <summary>The first argument that turns this program into the peer.</summary>
    public const string Verb = "peer-kestrel";

    private const string Inline = "inline";

    private readonly PeerProcess _process;

    /// <param name="fastPath">The server's setting: the peer schedules in the same way.</param>
    public BareKestrel(string fastPath)
    {
        var environment = new Dictionary<string, string>();
        if (fastPath == Inline) environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        _process = new PeerProcess([Verb, fastPath], environment);
        Address = new IPEndPoint(IPAddress.Loopback, int.Parse(_process.Read(), CultureInfo.InvariantCulture));
    }

    public int Pid => _process.Pid;

    public IPEndPoint Address { get; }

    public void Dispose() => _process.Dispose();

    /// <summary>The peer's own main program.</summary>
    public static Task RunAsync(string fastPath) => ServeAsync(fastPath, static () => ValueTask.CompletedTask);

    /// <summary>Serves until whoever started this process leaves.</summary>
    /// <param name="fastPath">The scheduling.</param>
    /// <param name="answered">Completes when a request that was read may be answered.</param>
    public static async Task ServeAsync(string fastPath, Func<ValueTask> answered)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = fastPath == Inline);
        var app = builder.Build();
        app.Run(context => AnswerAsync(context, answered));
        await app.StartAsync();

        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Console.WriteLine(new Uri(address).Port);
        while (await Console.In.ReadLineAsync() is not null)
        {
            // Until whoever started it leaves.
        }

        await app.StopAsync();
    }

    private static async Task AnswerAsync(HttpContext context, Func<ValueTask> answered)
    {
        var body = context.Request.BodyReader;
        while (true)
        {
            var read = await body.ReadAsync();
            body.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        await answered();
        var response = context.Response;
        response.ContentType = NoOpHandler.AnswerType;
        response.ContentLength = NoOpHandler.Answer.Length;
        Write(response);
    }

    private static void Write(HttpResponse response)
    {
        var answer = NoOpHandler.Answer;
        answer.CopyTo(response.BodyWriter.GetSpan(answer.Length));
        response.BodyWriter.Advance(answer.Length);
    }
}
