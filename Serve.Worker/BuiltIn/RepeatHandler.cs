using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// Answers with its text as many times as it is asked for, each time as a part, at intervals: for trying out clients of
/// streams without a model, as Triton's <c>repeat_int32</c>. Requests of a batch end one by one. By the Open Inference
/// Protocol the text is the tensor <c>text_input</c>, the rest are parameters, and each part is a tensor <c>text_output</c>.
/// </summary>
internal sealed class RepeatHandler(TimeProvider time) : IBatchHandler, IDeclaresTensors
{
    private const string Input = "text_input";
    private const string Output = "text_output";

    private const int MostParts = 1_000_000;
    private const int LongestIntervalMilliseconds = 3_600_000;

    public bool Streams => true;

    public ModelSignature Tensors { get; } = new([new(Input, TensorElement.String, [1])], [new(Output, TensorElement.String, [1])], RowBatching.None);

    public bool IsDecoupled => true;

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
            await RepeatAsync(call, Check(call.Request.CarriesTensors ? ReadTensors(call.Request) : ReadJson(call.Request.Input.Data.Span))).ConfigureAwait(false);
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
        for (var i = 0; i < wish.Count; i++)
        {
            if (i > 0 && timer is not null) await timer.WaitForNextTickAsync(call.Cancellation).ConfigureAwait(false);
            Write(call, wish.Text!);
            if (!await call.SendPartAsync().ConfigureAwait(false)) return;
        }
    }

    private static void Write(HandlerCall call, string text)
    {
        if (call.Request.CarriesTensors)
        {
            call.Response.SetTensors(OutputTensor.OfTexts(Output, [1], text));
            return;
        }

        call.Response.ContentType = "text/plain; charset=utf-8";
        Encoding.UTF8.GetBytes(text, call.Response.Body);
    }

    private static RepeatRequest ReadTensors(HandlerRequest request) =>
        new(request.Tensor(Input)!.Strings()[0], Number(request, "count", 1), Number(request, "intervalMs", 0));

    private static int Number(HandlerRequest request, string parameter, int otherwise)
    {
        if (request.Header(parameter) is not { } text) return otherwise;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : throw new BadRequestException($"\"{parameter}\" is {text}; it must be a number.");
    }

    private static RepeatRequest? ReadJson(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, RepeatJson.Default.RepeatRequest);
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"The body is not JSON like {{\"text\": \"tick \", \"count\": 3, \"intervalMs\": 100}}: {e.Message}");
        }
    }

    private static RepeatRequest Check(RepeatRequest? wish)
    {
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
