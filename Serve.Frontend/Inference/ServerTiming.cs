using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;

namespace Serve.Frontend.Inference;

/// <summary>
/// Tells a client that asks (<c>x-serve-timings: true</c>) in which stages its request spent its time, by the header
/// <c>Server-Timing</c> (W3C Server Timing). Others pay one look at their headers.
/// </summary>
internal static class ServerTiming
{
    public const string RequestHeader = "x-serve-timings";

    private const string ResponseHeader = "Server-Timing";

    /// <summary>Has the request's times noted, if it asks for them. Hot path.</summary>
    /// <param name="context">The request.</param>
    /// <param name="payload">What goes to the model.</param>
    /// <param name="started">When its headers arrived.</param>
    public static void Begin(HttpContext context, RequestPayload payload, long started)
    {
        if (!context.Request.Headers.TryGetValue(RequestHeader, out var wish)) return;
        if (!bool.TryParse(wish, out var isWanted)) throw new BadRequestException($"Header {RequestHeader} must be true or false, not \"{wish}\".");
        if (!isWanted) return;

        // What the cache answers, and the first of several parts, has spent its time in no other stage that is known.
        payload.Times = new RequestTimes(Stopwatch.GetElapsedTime(started));
        context.Response.Headers[ResponseHeader] = Add(new StringBuilder(), RequestStage.Read, payload.Times.Read).ToString();
    }

    /// <summary>Tells the times, if they were asked for. Hot path.</summary>
    /// <param name="context">The request.</param>
    /// <param name="answer">Its answer.</param>
    /// <param name="started">When its headers arrived.</param>
    public static void End(HttpContext context, InferenceResponse answer, long started)
    {
        if (answer.RequestTimes is { } times) context.Response.Headers[ResponseHeader] = Text(times, Stopwatch.GetElapsedTime(started));
    }

    internal static string Text(RequestTimes times, TimeSpan total)
    {
        var text = new StringBuilder();
        Add(text, RequestStage.Read, times.Read);
        Add(text, RequestStage.Queue, times.Queue);
        Add(text, RequestStage.Transfer, times.Transfer);
        Add(text, RequestStage.DecodeWait, TimeSpan.FromMicroseconds(times.Worker.DecodeWait));
        Add(text, RequestStage.Decode, TimeSpan.FromMicroseconds(times.Worker.Decode));
        Add(text, RequestStage.Assemble, TimeSpan.FromMicroseconds(times.Worker.Assemble));
        Add(text, RequestStage.Execute, TimeSpan.FromMicroseconds(times.Worker.Execute));
        Add(text, RequestStage.Encode, TimeSpan.FromMicroseconds(times.Worker.Encode));
        Add(text, "total", total);
        return text.Append(CultureInfo.InvariantCulture, $", batch;desc=\"{times.Worker.BatchRows}\"").ToString();
    }

    private static StringBuilder Add(StringBuilder text, RequestStage stage, TimeSpan time) => Add(text, ServeMetrics.Label(stage), time);

    private static StringBuilder Add(StringBuilder text, string name, TimeSpan time) =>
        text.Append(CultureInfo.InvariantCulture, $"{(text.Length > 0 ? ", " : "")}{name};dur={time.TotalMilliseconds:0.###}");
}
