using Serve.Core.Handlers;
using Serve.Core.Protocol;

namespace Serve.Tests.Worker;

/// <summary>Handlers that declare tensors, in a worker.</summary>
public sealed class TensorHandlerWorkerTests : IDisposable
{
    private readonly HandlerModel _model = HandlerModel.WithTestHandlers();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void A_decoupled_handler_answers_as_often_as_it_likes()
    {
        using var worker = WorkerConnection.StartReady(_model.Folder, HandlerModel.Configuration("RepeatInt32Handler"));
        Assert.True(worker.Ready!.IsDecoupled);
        Assert.Equal(["IN", "DELAY", "WAIT"], worker.Ready.Signature!.Inputs.Select(input => input.Name));

        worker.RunTensors(1, Repeat(4, 5, 6));
        for (var i = 0; i < 3; i++)
        {
            var (flags, tensors) = Next(worker);
            Assert.Equal(0, flags & FrameHeader.Last);
            Assert.Equal([TestTensor.Of("OUT", TensorElement.Int32, [1], 4 + i), TestTensor.Of("IDX", TensorElement.UInt32, [1], (uint)i)], tensors);
        }

        AssertEnd(worker);

        worker.RunTensors(2, Repeat());
        AssertEnd(worker); // no answer at all
    }

    [Fact]
    public void A_handler_that_answers_once_shares_its_batch()
    {
        using var worker = WorkerConnection.StartReady(_model.Folder, HandlerModel.Configuration("CapitalsHandler"));
        Assert.False(worker.Ready!.IsDecoupled);

        worker.RunTensors(1, [TestTensor.OfTexts("text_input", [2, 1], "one", "zwölf")], flush: false);
        worker.RunTensors(2, [TestTensor.OfTexts("text_input", [1, 2], "two", "columns")], flush: false);
        worker.RunTensors(3, [TestTensor.OfTexts("text_input", [1, 1], "three")]);
        var answers = worker.ReadAnswers(3).ToDictionary(answer => answer.Id);

        Assert.Equal(TestTensor.OfTexts("text_output", [2, 1], "ONE", "ZWÖLF"), Assert.Single(answers[1].Tensors));
        Assert.Equal("calls", Assert.Single(answers[1].Headers).Key);
        Assert.Equal(400, answers[2].Status);
        Assert.Contains("'text_input' takes the shape [-1,1]; the request has [1,2]", answers[2].Error.Message, StringComparison.Ordinal);
        Assert.Equal(TestTensor.OfTexts("text_output", [1, 1], "THREE"), Assert.Single(answers[3].Tensors));
    }

    [Fact]
    public void A_handler_that_declares_no_tensors_gets_none()
    {
        using var worker = WorkerConnection.StartReady(_model.Folder, HandlerModel.Configuration("NoOpHandler"));
        Assert.Null(worker.Ready!.Signature);

        worker.RunTensors(1, []);
        worker.Run(2, "");
        var answers = worker.ReadAnswers(2).ToDictionary(answer => answer.Id);

        Assert.Contains("NoOpHandler takes no tensors", answers[1].Error.Message, StringComparison.Ordinal);
        Assert.Equal((400, 200), (answers[1].Status, answers[2].Status));
    }

    [Fact]
    public void The_stock_handler_repeats_a_text_as_often_as_the_parameters_say()
    {
        using var worker = WorkerConnection.StartReady(_model.Folder, new() { Handler = "repeat" });

        worker.RunTensors(1, [TestTensor.OfTexts("text_input", [1], "tick")], flush: true, ("count", "2"));
        for (var i = 0; i < 2; i++) Assert.Equal(TestTensor.OfTexts("text_output", [1], "tick"), Assert.Single(Next(worker).Tensors));
        AssertEnd(worker);

        worker.RunTensors(2, [TestTensor.OfTexts("text_input", [1], "tick")], flush: true, ("count", "many"));
        Assert.Contains("\"count\" is many", worker.ReadAnswer().Error.Message, StringComparison.Ordinal);
        worker.RunTensors(3, [TestTensor.OfTexts("text_input", [2], "tick", "tack")]);
        Assert.Contains("takes the shape [1]; the request has [2]", worker.ReadAnswer().Error.Message, StringComparison.Ordinal);
    }

    private static (byte Flags, IReadOnlyList<TestTensor> Tensors) Next(WorkerConnection worker)
    {
        var (_, flags, body) = worker.ReadOutput();
        var output = OutputFrame.Parse(body);
        return (flags, output.Body.IsEmpty ? [] : TestTensor.ReadList(output.Body));
    }

    private static void AssertEnd(WorkerConnection worker)
    {
        var (flags, tensors) = Next(worker);
        Assert.Equal(FrameHeader.Last, flags);
        Assert.Empty(tensors);
    }

    private static TestTensor[] Repeat(params int[] values) =>
    [
        TestTensor.Of<int>("IN", TensorElement.Int32, [values.Length], values),
        TestTensor.Of<uint>("DELAY", TensorElement.UInt32, [values.Length], new uint[values.Length]),
        TestTensor.Of<uint>("WAIT", TensorElement.UInt32, [1], 0),
    ];
}
