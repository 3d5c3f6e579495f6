using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Serve.Management.Http;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Looks at what a new connection sends first, where everything that a listener understands begins alike: whoever speaks
/// something else is told so, or is closed at once. Without it a connection to a gRPC listener that sends no HTTP/2 would be held for
/// minutes.
/// </summary>
/// <param name="expected">What every connection must begin with.</param>
/// <param name="refusal">What a client is told that speaks plain HTTP/1 instead.</param>
/// <param name="patience">How long the first bytes may take.</param>
internal sealed class FirstBytes(ReadOnlyMemory<byte> expected, ReadOnlyMemory<byte> refusal, TimeSpan patience)
{
    private static readonly ReadOnlyMemory<byte> TlsHandshake = new byte[] { 0x16 };
    private static readonly ReadOnlyMemory<byte> Http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    private enum Verdict
    {
        Undecided,
        Expected,
        PlainHttp,
        Nonsense,
    }

    /// <summary>HTTP/2 with prior knowledge.</summary>
    public static FirstBytes OfHttp2(TimeSpan patience) => new(Http2Preface, Refusal(400, "BadRequestException", "Only gRPC (HTTP/2) is spoken here."), patience);

    /// <summary>TLS: a record of a handshake.</summary>
    public static FirstBytes OfTls(TimeSpan patience) => new(TlsHandshake, Refusal(403, "HttpsRequiredException", "This server only accepts HTTPS requests here."), patience);

    /// <summary>Reads until it is clear who is there, and hands the connection on with all its bytes, or ends it.</summary>
    public async Task CheckAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        switch (await JudgeAsync(connection))
        {
            case Verdict.Expected:
                // Not on the socket's own thread: what follows computes.
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                await next(connection);
                break;
            case Verdict.PlainHttp:
                await connection.Transport.Output.WriteAsync(refusal);
                break;
        }
    }

    private async Task<Verdict> JudgeAsync(ConnectionContext connection)
    {
        // A server that stops waits for its connections, and asks them to close: one that has said nothing yet can.
        var stopping = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed, stopping);
        limit.CancelAfter(patience);
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(limit.Token);
                var verdict = Judge(read.Buffer);
                if (verdict == Verdict.Undecided && read.IsCompleted) verdict = Verdict.Nonsense;
                input.AdvanceTo(read.Buffer.Start, verdict == Verdict.Undecided ? read.Buffer.End : read.Buffer.Start);
                if (verdict != Verdict.Undecided) return verdict;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ConnectionResetException or ConnectionAbortedException)
        {
            return Verdict.Nonsense;
        }
    }

    private Verdict Judge(ReadOnlySequence<byte> arrived)
    {
        if (arrived.IsEmpty) return Verdict.Undecided;
        Span<byte> first = stackalloc byte[(int)Math.Min(arrived.Length, expected.Length)];
        arrived.Slice(0, first.Length).CopyTo(first);
        if (expected.Span.StartsWith(first)) return first.Length == expected.Length ? Verdict.Expected : Verdict.Undecided;
        return char.IsAsciiLetterUpper((char)arrived.FirstSpan[0]) ? Verdict.PlainHttp : Verdict.Nonsense;
    }

    private static byte[] Refusal(int status, string type, string message)
    {
        var body = PrettyJson.Encode(new ErrorBody(status, type, message), HttpJson.Default.ErrorBody);
        var head = $"HTTP/1.1 {status} {Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status)}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. body.Span];
    }
}
