using System.Globalization;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Tests.Handlers;

/// <summary>A handler of tensors that answers each call of a batch at its own pace.</summary>
public abstract class StreamingTensorHandler : IBatchHandler, IDeclaresTensors
{
    public bool Streams => true;

    public virtual bool IsDecoupled => true;

    public abstract ModelSignature Tensors { get; }

    public virtual void Load(HandlerContext context)
    {
    }

    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation) =>
        Task.WaitAll([.. batch.Select(AnswerToTheEndAsync)], CancellationToken.None);

    public void Dispose() => GC.SuppressFinalize(this);

    protected abstract Task AnswerAsync(HandlerCall call);

    private async Task AnswerToTheEndAsync(HandlerCall call)
    {
        try
        {
            await AnswerAsync(call).ConfigureAwait(false);
        }
        catch (BadRequestException e)
        {
            call.Fail(e);
        }
        catch (OperationCanceledException) when (call.IsCancelled)
        {
            // Nobody reads on.
        }

        call.End();
    }
}

/// <summary>Triton's repeat_int32: an answer for each element of IN, DELAY milliseconds after the one before it, and WAIT milliseconds to the end.</summary>
public sealed class RepeatInt32Handler : StreamingTensorHandler
{
    public override ModelSignature Tensors { get; } = new(
        [new("IN", TensorElement.Int32, [-1]), new("DELAY", TensorElement.UInt32, [-1]), new("WAIT", TensorElement.UInt32, [1])],
        [new("OUT", TensorElement.Int32, [1]), new("IDX", TensorElement.UInt32, [1])],
        RowBatching.None);

    protected override async Task AnswerAsync(HandlerCall call)
    {
        var values = call.Request.Tensor("IN")!.Elements<int>().ToArray();
        var delays = call.Request.Tensor("DELAY")!.Elements<uint>().ToArray();
        var wait = call.Request.Tensor("WAIT")!.Elements<uint>()[0];
        if (values.Length != delays.Length) throw new BadRequestException($"IN has {values.Length} elements and DELAY {delays.Length}.");
        for (var i = 0; i < values.Length; i++)
        {
            if (delays[i] > 0) await Task.Delay(TimeSpan.FromMilliseconds(delays[i]), call.Cancellation).ConfigureAwait(false);
            call.Response.SetTensors(Wanted(call, OutputTensor.Of("OUT", TensorElement.Int32, [1], values[i]), OutputTensor.Of("IDX", TensorElement.UInt32, [1], (uint)i)));
            if (!await call.SendPartAsync().ConfigureAwait(false)) return;
        }

        if (wait > 0) await Task.Delay(TimeSpan.FromMilliseconds(wait), call.Cancellation).ConfigureAwait(false);
    }

    private static OutputTensor[] Wanted(HandlerCall call, params OutputTensor[] outputs) => [.. outputs.Where(output => call.Request.Wants(output.Name))];
}

/// <summary>For the generate extension: answers with <c>max_tokens</c> (a parameter; default 1) tokens, each the text and a number.</summary>
public sealed class GenerateHandler : StreamingTensorHandler
{
    public override ModelSignature Tensors { get; } = new(
        [new("text_input", TensorElement.String, [1])], [new("text_output", TensorElement.String, [1])], RowBatching.None);

    protected override async Task AnswerAsync(HandlerCall call)
    {
        var text = call.Request.Tensor("text_input")!.Strings()[0];
        if (!int.TryParse(call.Request.Header("max_tokens") ?? "1", CultureInfo.InvariantCulture, out var tokens)) throw new BadRequestException($"max_tokens is {call.Request.Header("max_tokens")}; a number is needed.");
        for (var i = 0; i < tokens; i++)
        {
            call.Response.SetTensors(OutputTensor.OfTexts("text_output", [1], $"{text} {i}"));
            if (!await call.SendPartAsync().ConfigureAwait(false)) return;
        }
    }
}

/// <summary>Answers each call once, in parts, and comes to no end.</summary>
public sealed class EndlessHandler : StreamingTensorHandler
{
    private readonly string _part = new('x', 64 << 10);

    public override bool IsDecoupled => false;

    public override ModelSignature Tensors { get; } = new(
        [new("text_input", TensorElement.String, [1])], [new("text_output", TensorElement.String, [1])], RowBatching.None);

    protected override async Task AnswerAsync(HandlerCall call)
    {
        do call.Response.SetTensors(OutputTensor.OfTexts("text_output", [1], _part));
        while (await call.SendPartAsync().ConfigureAwait(false));
    }
}

/// <summary>Answers each call once: its texts in capitals, and how many calls shared its batch as a parameter.</summary>
public sealed class CapitalsHandler : IBatchHandler, IDeclaresTensors
{
    public ModelSignature Tensors { get; } = new(
        [new("text_input", TensorElement.String, [-1, 1])], [new("text_output", TensorElement.String, [-1, 1])], RowBatching.Dynamic);

    public void Load(HandlerContext context)
    {
    }

    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        foreach (var call in batch)
        {
            var texts = call.Request.Tensor("text_input")!;
            if (texts.Strings().Contains("fail")) throw new InvalidOperationException("The text says so.");
            call.Response.Headers.Add(new("calls", batch.Count.ToString(CultureInfo.InvariantCulture)));
            call.Response.SetTensors(OutputTensor.OfTexts("text_output", texts.Shape, [.. texts.Strings().Select(text => text.ToUpperInvariant())]));
        }
    }

    public void Dispose() => GC.SuppressFinalize(this);
}
