using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Tests.Handlers;

/// <summary>Thirty bytes of JSON, at no cost: what is measured with it is the server.</summary>
public sealed class NoOpHandler : TestHandler
{
    protected override void Answer(HandlerCall call, int batchSize)
    {
        call.Response.ContentType = "application/json";
        call.Response.Body.Write("""{"label":"noop","score":0.999}"""u8);
    }
}

/// <summary>The body, with its content type.</summary>
public sealed class EchoHandler : TestHandler
{
    protected override void Answer(HandlerCall call, int batchSize)
    {
        var input = call.Request.Input;
        if (input.ContentType.Length > 0) call.Response.ContentType = input.ContentType;
        call.Response.Body.Write(input.Data.Span);
    }
}

/// <summary>The request as JSON: headers, parts (name, content type, bytes), the batch's size, the worker's process id.</summary>
public sealed class HeaderEchoHandler : TestHandler
{
    protected override void Answer(HandlerCall call, int batchSize)
    {
        call.Response.ContentType = "application/json";
        call.Response.Headers.Add(new("X-Echo", "yes"));
        using var json = new Utf8JsonWriter(call.Response.Body);
        json.WriteStartObject();
        json.WriteNumber("pid", Environment.ProcessId);
        json.WriteNumber("batch", batchSize);
        json.WriteStartObject("headers");
        foreach (var (name, value) in call.Request.Headers) json.WriteString(name, value);
        json.WriteEndObject();
        json.WriteStartArray("parts");
        foreach (var part in call.Request.Parts)
        {
            json.WriteStartObject();
            json.WriteString("name", part.Name);
            json.WriteString("contentType", part.ContentType);
            json.WriteBase64String("data", part.Data.Span);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}

/// <summary>
/// A fake device: a batch takes <c>batchMilliseconds</c> and <c>rowMilliseconds</c> for each row, both of
/// <c>handlerOptions</c>. The answer is <c>{"batch": n, "pid": p}</c>. Here the sleep is the subject.
/// </summary>
public sealed class SleeperHandler : TestHandler
{
    public override void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(Number("batchMilliseconds", 10) + (Number("rowMilliseconds", 0.2) * batch.Count)));
        base.Execute(batch, cancellation);
    }

    protected override void Answer(HandlerCall call, int batchSize) =>
        Write(call, "application/json", $$"""{"batch":{{batchSize}},"pid":{{Environment.ProcessId}}}""");
}

/// <summary>Ends its process, as a crash of native code would, when a body says <c>die</c>; else echoes.</summary>
public sealed class PoisonHandler : TestHandler
{
    public override void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        if (batch.Any(call => call.Request.Input.Data.Span.SequenceEqual("die"u8))) Process.GetCurrentProcess().Kill();
        base.Execute(batch, cancellation);
    }

    protected override void Answer(HandlerCall call, int batchSize) => call.Response.Body.Write(call.Request.Input.Data.Span);
}

/// <summary>Never loads.</summary>
public sealed class ThrowsInLoadHandler : TestHandler
{
    public override void Load(HandlerContext context) => throw new InvalidOperationException("The database is not there.");

    protected override void Answer(HandlerCall call, int batchSize)
    {
    }
}

/// <summary>Wants more memory than there is.</summary>
public sealed class HungryHandler : TestHandler
{
    public override void Load(HandlerContext context) => Marshal.FreeHGlobal(Marshal.AllocHGlobal(nint.MaxValue));

    protected override void Answer(HandlerCall call, int batchSize)
    {
    }
}

/// <summary>Never even becomes an object.</summary>
public sealed class ThrowsInConstructorHandler : TestHandler
{
    public ThrowsInConstructorHandler() => throw new InvalidOperationException("The licence has expired.");

    protected override void Answer(HandlerCall call, int batchSize)
    {
    }
}

/// <summary>
/// A body <c>bad</c> is refused with 400, <c>broken</c> fails with 500, <c>mute</c> with an exception that cannot be described, <c>teapot</c> is answered with a status of its own,
/// <c>513</c> and <c>507</c> likewise, <c>200</c>, <c>499</c> and <c>1000</c> fail with a status that no error has, <c>memory</c> with its lack, <c>header</c> and <c>status</c> with what HTTP does not have, each alone; <c>throw</c> takes its whole batch with it. Others are echoed.
/// </summary>
public sealed class FailingHandler : TestHandler
{
    protected override void Answer(HandlerCall call, int batchSize)
    {
        switch (call.Request.Input.Text)
        {
            case "bad":
                call.Fail(new BadRequestException("The body is bad."));
                break;
            case "broken":
                call.Fail(new InvalidOperationException("Something broke."));
                break;
            case "mute":
                call.Fail(new MuteException());
                break;
            case "teapot":
                call.Response.Status = 418;
                Write(call, "text/plain", "I am a teapot.");
                break;
            case "header":
                call.Response.Headers.Add(new("X-Broken", "one\r\ntwo: three"));
                break;
            case "status":
                call.Response.Status = 42;
                break;
            case "memory":
                call.Fail(new InsufficientMemoryException("There is none."));
                break;
            case "513":
                call.Fail(new ServeException(513, "InternalServerException", "Not today."));
                break;
            case "200" or "499" or "1000":
                call.Fail(new ServeException(int.Parse(call.Request.Input.Text, CultureInfo.InvariantCulture), "OddException", "No error has this status."));
                break;
            case "507":
                call.Response.Status = 507;
                Write(call, "text/plain", "Invalid response");
                break;
            case "throw":
                throw new InvalidOperationException("Everything broke.");
            default:
                call.Response.Body.Write(call.Request.Input.Data.Span);
                break;
        }
    }

    private sealed class MuteException : Exception
    {
        public override string Message => throw new NotSupportedException();
    }
}

/// <summary>Hangs for ever, deaf to cancellation as native code is, when a body says <c>stuck</c>; else echoes.</summary>
public sealed class StuckHandler : TestHandler
{
    public override void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        if (batch.Any(call => call.Request.Input.Data.Span.SequenceEqual("stuck"u8)))
        {
            Context.Logger.Log(Microsoft.Extensions.Logging.LogLevel.Warning, default, "Stuck for ever.", null, static (state, _) => state);
            Thread.Sleep(Timeout.Infinite);
        }

        base.Execute(batch, cancellation);
    }

    protected override void Answer(HandlerCall call, int batchSize) => call.Response.Body.Write(call.Request.Input.Data.Span);
}

/// <summary>As many bytes as the body says; byte <c>i</c> is <c>i mod 251</c>.</summary>
public sealed class BigOutputHandler : TestHandler
{
    protected override void Answer(HandlerCall call, int batchSize)
    {
        var length = int.Parse(call.Request.Input.Text, CultureInfo.InvariantCulture);
        call.Response.ContentType = "application/octet-stream";
        var body = call.Response.Body.GetSpan(length);
        for (var i = 0; i < length; i++) body[i] = (byte)(i % 251);
        call.Response.Body.Advance(length);
    }
}

/// <summary>No handler at all.</summary>
public sealed class NotAHandler;
