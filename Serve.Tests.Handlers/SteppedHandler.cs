using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Serve.Core.Handlers;

namespace Serve.Tests.Handlers;

/// <summary>
/// Streams as the test says, line by line over the Unix socket <c>handlerOptions.gate</c>. It says <c>begin BODY BODY …</c> for
/// each batch, and <c>cancelled BODY</c> when nobody waits for a call any more. It is told <c>part BODY TEXT</c>,
/// <c>flood BODY BYTES</c> (parts of 64 KiB), <c>fail BODY</c>, <c>end BODY</c> or <c>done</c> (with the whole batch), and
/// answers each but the last with the same line and what came of it. A batch ends when all its calls have.
/// </summary>
public sealed class SteppedHandler : IBatchHandler
{
    private const int FloodPartBytes = 64 << 10;

    private readonly Socket _gate = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private StreamReader _told = null!;
    private StreamWriter _says = null!;

    public bool Streams => true;

    public void Load(HandlerContext context)
    {
        _gate.Connect(new UnixDomainSocketEndPoint(context.Configuration.HandlerOptions["gate"]));
        _told = new StreamReader(new NetworkStream(_gate));
        _says = new StreamWriter(new NetworkStream(_gate)) { AutoFlush = true };
    }

    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        Say("begin " + string.Join(' ', batch.Select(call => call.Request.Input.Text)));
        foreach (var call in batch)
        {
            var name = call.Request.Input.Text;
            call.Cancellation.Register(() => Say($"cancelled {name}"));
        }

        while (!batch.All(call => call.IsEnded) && _told.ReadLine() is { } line && line != "done")
        {
            var words = line.Split(' ', 3);
            Step(batch.Single(call => call.Request.Input.Text == words[1]), words[0], words.ElementAtOrDefault(2) ?? "", line);
        }
    }

    public void Dispose()
    {
        _told?.Dispose();
        _says?.Dispose();
        _gate.Dispose();
    }

    private void Step(HandlerCall call, string step, string argument, string line)
    {
        switch (step)
        {
            case "part":
                call.Response.ContentType = "text/plain";
                Encoding.UTF8.GetBytes(argument, call.Response.Body);
                Say($"{line} {call.SendPart()}");
                break;
            case "flood":
                Say($"{line} {Flood(call, int.Parse(argument, CultureInfo.InvariantCulture))}");
                break;
            case "fail":
                call.Fail(new InvalidOperationException("It broke half-way."));
                call.End();
                Say(line);
                break;
            default:
                Encoding.UTF8.GetBytes(argument, call.Response.Body);
                call.End();
                Say(line);
                break;
        }
    }

    // Says once how much it could send before it had to wait.
    private bool Flood(HandlerCall call, int bytes)
    {
        var told = false;
        for (var sent = 0; sent < bytes; sent += FloodPartBytes)
        {
            if (!told && !call.HasRoom)
            {
                told = true;
                Say($"waits {call.Request.Input.Text} {sent}");
            }

            call.Response.Body.GetSpan(FloodPartBytes)[..FloodPartBytes].Fill((byte)(sent / FloodPartBytes));
            call.Response.Body.Advance(FloodPartBytes);
            if (!call.SendPart()) return false;
        }

        return true;
    }

    private void Say(string line)
    {
        lock (_says) _says.WriteLine(line);
    }
}
