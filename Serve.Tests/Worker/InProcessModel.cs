using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Worker.Execution;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Worker;

/// <summary>A model with a handler in this process: preprocess, one batch, postprocess.</summary>
internal sealed class InProcessModel : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("serve-model").FullName;
    private readonly IModelHandler _handler;
    private readonly BatchExecution _execution;
    private readonly int _batchSize;

    public InProcessModel(IModelHandler handler, Action<string> writeModel, ModelConfiguration? configuration = null)
    {
        configuration ??= new ModelConfiguration { BatchSize = 8 };
        var file = Path.Combine(_folder, "model.onnx");
        writeModel(file);
        using var plan = SessionPlan.Create("test", configuration, DeviceType.Cpu, 0, 1);
        Model = OnnxModel.Load(file, plan);
        _handler = handler;
        _batchSize = configuration.BatchSize;
        _execution = new BatchExecution(Model);
        handler.Load(new HandlerContext { ModelName = "test", ModelVersion = "1", ModelFolder = _folder, Configuration = configuration, Signature = Model.Signature, Logger = NullLogger.Instance });
    }

    public OnnxModel Model { get; }

    public string Run(string json) => Encoding.UTF8.GetString(Run(Encoding.UTF8.GetBytes(json)));

    public byte[] Run(byte[] body)
    {
        var request = new HandlerRequest(1, [new RequestPart("body", "", body)], []);
        using var row = new BatchRow(Model.Signature, _batchSize);
        _handler.Preprocess(request, row.Inputs);
        row.Inputs.Complete();
        using var outputs = _execution.Run([row], CancellationToken.None);
        var response = new WorkerResponse();
        _handler.Postprocess(request, row.Outputs, response);
        var bytes = response.DetachBody(out var length);
        return bytes[..length];
    }

    public void Dispose()
    {
        _execution.Dispose();
        _handler.Dispose();
        Model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
