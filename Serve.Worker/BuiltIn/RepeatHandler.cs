using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// Answers with its text as many times as it is asked for, each time as a part, at intervals: for trying out clients of
/// streams without a model, as Triton's <c>repeat_int32</c>. Requests of a batch end one by one.
/// </summary>
internal sealed class RepeatHandler(TimeProvider time) : IBatchHandler
{
    private const int MostParts = 1_000_000;
    private const int LongestIntervalMilliseconds = 3_600_000;

    public bool Streams => true;

    public void Load(HandlerContext context)
    {
    }

    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        var repeating = new Task[batch.Count];
        for (var i = 0; i < repeating.Length; i++) repeating[i] = AnswerAsync(batch[i]);
        Task.WaitAll(repeating, CancellationToken.None); // each has its own
    }

    public void Dispose()
    {
    }

    private async Task AnswerAsync(HandlerCall call)
    {
        try
        {
            await RepeatAsync(call, Read(call.Request.Input.Data.Span)).ConfigureAwait(false);
        }
        catch (BadRequestException e)
        {
            call.Fail(e);
        }
        catch (OperationCanceledException) when (call.IsCancelled)
        {
            // Nobody reads on; the call is ended like any other.
        }

        call.End();
    }

    private async Task RepeatAsync(HandlerCall call, RepeatRequest wish)
    {
        using var timer = wish.IntervalMs > 0 ? new PeriodicTimer(TimeSpan.FromMilliseconds(wish.IntervalMs), time) : null;
        call.Response.ContentType = "text/plain; charset=utf-8";
        for (var i = 0; i < wish.Count; i++)
        {
            if (i > 0 && timer is not null) await timer.WaitForNextTickAsync(call.Cancellation).ConfigureAwait(false);
            Encoding.UTF8.GetBytes(wish.Text, call.Response.Body);
            if (!await call.SendPartAsync().ConfigureAwait(false)) return;
        }
    }

    private static RepeatRequest Read(ReadOnlySpan<byte> body)
    {
        RepeatRequest? wish;
        try
        {
            wish = JsonSerializer.Deserialize(body, RepeatJson.Default.RepeatRequest);
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"The body is not JSON like {{\"text\": \"tick \", \"count\": 3, \"intervalMs\": 100}}: {e.Message}");
        }

        if (wish?.Text is null) throw new BadRequestException("The body has no \"text\", which is to be repeated.");
        if (wish.Count is < 1 or > MostParts) throw new BadRequestException($"\"count\" is {wish.Count}; it must be 1 to {MostParts}.");
        if (wish.IntervalMs is < 0 or > LongestIntervalMilliseconds) throw new BadRequestException($"\"intervalMs\" is {wish.IntervalMs}; it must be 0 to {LongestIntervalMilliseconds}.");
        return wish;
    }
}

/// <summary>What is to be repeated.</summary>
/// <param name="Text">Each part.</param>
/// <param name="Count">How many parts.</param>
/// <param name="IntervalMs">Milliseconds from one to the next.</param>
internal sealed record RepeatRequest(string? Text = null, int Count = 1, int IntervalMs = 0);

/// <summary>Reads it, without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(RepeatRequest))]
internal sealed partial class RepeatJson : JsonSerializerContext;
