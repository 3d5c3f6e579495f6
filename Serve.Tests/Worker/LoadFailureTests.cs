using Serve.Core.Configuration;

namespace Serve.Tests.Worker;

public sealed class LoadFailureTests : IDisposable
{
    private readonly HandlerModel _model = HandlerModel.WithTestHandlers();

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData("Nothing.dll:A.B", "handler 'Nothing.dll:A.B': the model's folder has no file Nothing.dll.")]
    [InlineData("../Serve.dll:A.B", "handler '../Serve.dll:A.B': the assembly lies outside the model's folder.")]
    [InlineData("classifier", "handler 'classifier' is unknown; use one of image_classifier, image_embedder, tensor, repeat, or a class of your own as Assembly.dll:Namespace.Type.")]
    [InlineData("Serve.Tests.Handlers.dll:Serve.Tests.Handlers.TestHandler", "Serve.Tests.Handlers.TestHandler is abstract or generic; a class that can be made is needed.")]
    [InlineData("Serve.Tests.Handlers.dll:Serve.Tests.Handlers.ThrowsInConstructorHandler", "the constructor of Serve.Tests.Handlers.ThrowsInConstructorHandler threw InvalidOperationException: The licence has expired.")]
    [InlineData("Serve.Tests.Handlers.dll:Serve.Tests.Handlers.ThrowsInLoadHandler", "failed to load with InvalidOperationException: The database is not there.")]
    [InlineData("Serve.Tests.Handlers.dll:Serve.Tests.Handlers.NotAHandler", "implements neither Serve.Core.Handlers.IModelHandler nor IBatchHandler.")]
    public void A_handler_that_cannot_be_used_fails_the_load_with_its_reason(string handler, string reason)
    {
        var failure = WorkerConnection.LoadFailing(_model.Folder, new ModelConfiguration { Handler = handler });

        Assert.Equal(("InvalidModelException", true), (failure.Type, failure.Permanent));
        Assert.EndsWith(reason, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_type_that_is_not_there_is_answered_with_those_that_are()
    {
        var failure = WorkerConnection.LoadFailing(_model.Folder, HandlerModel.Configuration("Missing"));

        Assert.Contains("the assembly has no type Serve.Tests.Handlers.Missing; its handlers are ", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Serve.Tests.Handlers.EchoHandler", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_assembly_fails_the_load()
    {
        File.WriteAllText(_model.File("Text.dll"), "not an assembly");

        var failure = WorkerConnection.LoadFailing(_model.Folder, new ModelConfiguration { Handler = "Text.dll:A.B" });

        Assert.Contains("Text.dll is not a .NET assembly that this worker", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_model_fails_the_load()
    {
        var failure = WorkerConnection.LoadFailing(_model.Folder, new ModelConfiguration());

        Assert.StartsWith("The model's folder has no .onnx file", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_with_two_models_wants_to_be_told_which()
    {
        File.WriteAllText(_model.File("b.onnx"), "");
        File.WriteAllText(_model.File("a.onnx"), "");

        var failure = WorkerConnection.LoadFailing(_model.Folder, new ModelConfiguration());

        Assert.Equal("The model's folder has 2 .onnx files (a.onnx, b.onnx); say which with modelFile.", failure.Message);
    }

    [Fact]
    public void A_damaged_model_file_fails_the_load()
    {
        var bytes = File.ReadAllBytes(Path.Combine(FashionData.ModelFolder, "model.onnx"));
        File.WriteAllBytes(_model.File("model.onnx"), bytes[..(bytes.Length / 2)]);

        var failure = WorkerConnection.LoadFailing(_model.Folder, FashionData.Configuration);

        Assert.Equal(("InvalidModelException", true), (failure.Type, failure.Permanent));
        Assert.StartsWith("ONNX Runtime cannot load model.onnx: ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_label_file_that_is_not_there_fails_the_load()
    {
        File.Copy(Path.Combine(FashionData.ModelFolder, "model.onnx"), _model.File("model.onnx"));

        var failure = WorkerConnection.LoadFailing(_model.Folder, FashionData.Configuration with { LabelFile = "labels.json" });

        Assert.Equal("labelFile 'labels.json' is not in the model's folder.", failure.Message);
    }

    [Fact]
    public void Fewer_labels_than_classes_fail_the_load()
    {
        File.Copy(Path.Combine(FashionData.ModelFolder, "model.onnx"), _model.File("model.onnx"));
        File.WriteAllText(_model.File("index_to_name.json"), """{"0": "shirt", "1": "shoe"}""");

        var failure = WorkerConnection.LoadFailing(_model.Folder, FashionData.Configuration);

        Assert.Equal("The label file has 2 labels, but the model has 10 classes.", failure.Message);
    }

    [Fact]
    public void A_gpu_that_is_not_there_fails_the_load_with_the_reason()
    {
        Assert.SkipWhen(File.Exists("/dev/nvidia0"), "This machine has a GPU.");

        var failure = WorkerConnection.LoadFailing(FashionData.ModelFolder, FashionData.Configuration with { DeviceType = DeviceType.Gpu });

        Assert.Equal(("InvalidModelException", true), (failure.Type, failure.Permanent));
        Assert.StartsWith("test asks for a GPU, but there is none that can be used: ", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("ONNXRuntimeError", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fallback_to_the_cpu_serves_without_gpu_and_says_so()
    {
        Assert.SkipWhen(File.Exists("/dev/nvidia0"), "This machine has a GPU.");

        using var worker = WorkerConnection.StartReady(FashionData.ModelFolder, FashionData.Configuration with { DeviceType = DeviceType.Gpu, Fallback = DeviceType.Cpu });

        Assert.Equal("cpu:0", worker.Ready!.Device);
        Assert.StartsWith("the model asks for a GPU, but runs on the CPU (fallback: cpu): ", Assert.Single(worker.Ready.Notes!), StringComparison.Ordinal);
        worker.Run(1, FashionData.Picture(0));
        Assert.Equal(200, worker.ReadAnswer().Status);
    }

    [Fact]
    public void The_example_handler_of_the_documentation_serves()
    {
        using var model = new HandlerModel();
        HandlerModel.CopyExample(model.Folder);
        var configuration = new ModelConfiguration { Handler = "EchoHandler.dll:EchoHandler.Echo", BatchSize = 8, HandlerOptions = new Dictionary<string, string> { ["greeting"] = "Good day" } };

        using var worker = WorkerConnection.StartReady(model.Folder, configuration);
        worker.Run(1, "Is anybody there?"u8, headers: [("user-agent", "curl/8.0")]);
        worker.Run(2, ""u8);

        // Two batches may be answered in either order.
        var answers = worker.ReadAnswers(2).ToDictionary(answer => answer.Id);
        Assert.Equal("""{"greeting":"Good day","echo":"Is anybody there?","from":"curl/8.0"}""", answers[1].Text);
        Assert.Equal(400, answers[2].Status);
    }
}
