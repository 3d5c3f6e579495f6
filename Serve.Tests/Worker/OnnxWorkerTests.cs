using System.Text;
using Serve.Core.Configuration;
using Serve.Core.Protocol;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker;

public sealed class OnnxWorkerTests : IDisposable
{
    private readonly HandlerModel _model = new();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Requests_of_different_shapes_arrive_together_and_are_answered_apart()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Int32, "batch", "n");
        using var worker = StartReady();
        var random = new Random(7);
        var bodies = Enumerable.Range(0, 64).Select(i => $"[{string.Join(",", Enumerable.Range(i * 100, 1 + random.Next(3)))}]").ToArray();

        for (var i = 0; i < bodies.Length; i++) worker.Run((ulong)i, Encoding.UTF8.GetBytes(bodies[i]), flush: false);
        worker.Flush();

        Assert.All(worker.ReadAnswers(bodies.Length), answer => Assert.Equal(bodies[answer.Id], answer.Text));
    }

    [Fact]
    public void Requests_with_several_rows_share_batches_with_others()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Int32, "batch", 1);
        using var worker = StartReady();
        var bodies = Enumerable.Range(0, 40).Select(i => $"[{string.Join(",", Enumerable.Range(0, 1 + (i % 8)).Select(row => $"[{(i * 10) + row}]"))}]").ToArray();

        for (var i = 0; i < bodies.Length; i++) worker.Run((ulong)i, Encoding.UTF8.GetBytes(bodies[i]), flush: false);
        worker.Flush();

        foreach (var answer in worker.ReadAnswers(bodies.Length))
        {
            Assert.Equal(bodies[answer.Id], answer.Text);
            Assert.InRange(answer.Times.BatchRows, (answer.Id % 8) + 1, 8u);
        }
    }

    [Fact]
    public void Memory_that_does_not_suffice_for_the_warm_up_fails_the_load_for_now()
    {
        // As many numbers as 2⁴⁵ and what stands in the request, which nobody has the memory for.
        SmallModels.Write(_model.File("model.onnx"), graph =>
        {
            var wanted = graph.Node("wanted", "Add", [graph.Node("flat", "Reshape", [graph.Input("x", DataType.Int64, "batch", 1), graph.Constant("all", -1)]), graph.Constant("most", 1L << 45)]);
            graph.Output(graph.Node("y", "Unsqueeze", [graph.Node("zeros", "ConstantOfShape", [wanted]), graph.Constant("first", 0)]), DataType.Float, "batch", "n");
        });

        var failure = WorkerConnection.LoadFailing(_model.Folder, new ModelConfiguration { BatchSize = 1 });

        Assert.Equal((false, true), (failure.Permanent, failure.LacksMemory));
        Assert.StartsWith("The memory of cpu:0 does not suffice for a batch of 1: ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_embedder_that_divides_by_a_norm_is_warmed_up_with_zeros_all_the_same()
    {
        SmallModels.Write(_model.File("model.onnx"), graph =>
        {
            var x = graph.Input("x", DataType.Float, "batch", 3, 4, 4);
            graph.Output(graph.Node("y", "Div", [x, graph.Node("mean", "GlobalAveragePool", [x])]), DataType.Float, "batch", 3, 4, 4);
        });

        using var worker = WorkerConnection.StartReady(_model.Folder, new ModelConfiguration
        {
            Handler = "image_embedder",
            BatchSize = 2,
            Preprocessing = new PreprocessingConfiguration { Resize = [4], Crop = [4], Mean = [-1], Std = [1] },
        });

        worker.Run(1, FashionData.Picture(0));
        Assert.Equal(200, worker.ReadAnswer().Status);
    }

    [Fact]
    public void A_handler_that_another_takes_the_place_of_is_disposed_of()
    {
        HandlerModel.CopyTestHandlers(_model.Folder);
        SmallModels.Doubled(_model.File("model.onnx"));
        using var worker = WorkerConnection.StartReady(_model.Folder, HandlerModel.Configuration("FarewellHandler"));
        Assert.StartsWith("requests run one by one: ", Assert.Single(worker.Ready!.Notes!), StringComparison.Ordinal);

        worker.Send(FrameType.Stop);

        Assert.Equal(0, worker.WaitForExit());
        Assert.Equal(2, worker.LogText.Split("Farewell.").Length - 1); // the first at once, the second at the end
    }

    [Fact]
    public void One_request_that_the_model_refuses_does_not_fail_its_batch()
    {
        SmallModels.Lookup(_model.File("model.onnx"));
        using var worker = StartReady();
        string[] bodies = ["[0,1]", "[2,99]", "[3,3]", "[1,x]", "[1,2]", "[-9,0]", "[2,2]"];

        for (var i = 0; i < bodies.Length; i++) worker.Run((ulong)i, Encoding.UTF8.GetBytes(bodies[i]), flush: false);
        worker.Flush();
        var answers = worker.ReadAnswers(bodies.Length).ToDictionary(answer => answer.Id);

        Assert.Equal("[10,20]", answers[0].Text);
        Assert.Equal("[40,40]", answers[2].Text);
        Assert.Equal("[20,30]", answers[4].Text);
        Assert.Equal("[30,30]", answers[6].Text);
        foreach (ulong wrong in new[] { 1, 3, 5 })
        {
            Assert.Equal((400, "BadRequestException"), (answers[wrong].Status, answers[wrong].Error.Type));
        }

        Assert.StartsWith("The model does not accept these inputs: ", answers[1].Error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(".cc:", answers[1].Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_whose_first_dimension_is_no_batch_is_found_out_by_the_warm_up_and_served()
    {
        SmallModels.Doubled(_model.File("model.onnx"));
        using var worker = StartReady();

        Assert.StartsWith("requests run one by one: The model's output 'y' has the shape [16, 2] for a batch of 8", Assert.Single(worker.Ready!.Notes!), StringComparison.Ordinal);
        worker.Run(1, "[[1,2]]");
        Assert.Equal("[[1,2],[1,2]]", worker.ReadAnswer().Text);
    }

    [Fact]
    public void Answers_carry_the_times_of_their_stages()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Float, "batch", 2);
        using var worker = StartReady();

        worker.Run(1, "[1,2]");
        var times = worker.ReadAnswer().Times;

        Assert.Equal(1u, times.BatchRows);
        Assert.True(times.Execute > 0, times.ToString());
    }

    [Fact]
    public void Instances_share_one_session_and_answer_everything_once()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Int32, "batch", 1);
        using var worker = WorkerConnection.StartReady(_model.Folder, new ModelConfiguration { BatchSize = 4, Instances = 3 });
        Assert.Equal(16, worker.Ready!.Credit);

        for (ulong id = 0; id < 500; id++) worker.Run(id, $"[{id}]");

        var answers = worker.ReadAnswers(500);
        Assert.Equal(500, answers.Select(answer => answer.Id).Distinct().Count());
        Assert.All(answers, answer => Assert.Equal($"[{answer.Id}]", answer.Text));
    }

    private WorkerConnection StartReady() => WorkerConnection.StartReady(_model.Folder, new ModelConfiguration { BatchSize = 8 });
}
