using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Onnx;
using Serve.Core.Protocol;
using Serve.Worker.Execution.Doctor;
using Serve.Worker.Execution.Loading;

namespace Serve.Worker.Hosting;

/// <summary>
/// <c>serve-worker doctor</c>: loads the model of the <see cref="LoadMessage"/> on the first line of standard input as a worker
/// would, and writes a <see cref="DoctorReport"/> to standard output, or an <see cref="ErrorMessage"/> and
/// <see cref="ExitCodes.LoadFailed"/>. Leaves at once when standard input ends before: whoever asked is gone.
/// </summary>
internal static class DoctorProcess
{
    /// <summary>The word on the command line.</summary>
    public const string Argument = "doctor";

    public static int Run(TextReader input, Stream output)
    {
        try
        {
            if (WorkerArguments.TelemetryProblem() is { } problem) throw new InternalServerException(problem);
            var load = JsonSerializer.Deserialize(input.ReadLine() ?? "null", ProtocolJson.Default.LoadMessage) ?? throw new JsonException("There is no Load on standard input.");
            LeaveWith(input);
            JsonSerializer.Serialize(output, Examine(load), ProtocolJson.Default.DoctorReport);
            return ExitCodes.Stopped;
        }
        catch (Exception e) when (e is ServeException or JsonException)
        {
            var type = e is ServeException known ? known.Type : nameof(BadRequestException);
            JsonSerializer.Serialize(output, new ErrorMessage(type, e.Message), ProtocolJson.Default.ErrorMessage);
            return ExitCodes.LoadFailed;
        }
    }

    private static void LeaveWith(TextReader input) => new Thread(() =>
    {
        while (input.Read() >= 0) { }

        ParentProcess.Leave(ExitCodes.ConnectionEnded);
    })
    { IsBackground = true, Name = "parent" }.Start();

    /// <summary>Loads a model and looks at its graph.</summary>
    /// <exception cref="ServeException">It cannot be loaded.</exception>
    public static DoctorReport Examine(LoadMessage load)
    {
        var isForGpu = load.Device.Type == DeviceType.Gpu;

        // Where there is no GPU, or the model cannot be recorded as CUDA graphs, what the graph shows is shown all the same.
        var wanted = load.Configuration.Execution;
        if (isForGpu) load = load with { Configuration = load.Configuration with { Fallback = DeviceType.Cpu, Execution = wanted with { CudaGraphs = false } } };
        var started = Stopwatch.GetTimestamp();
        var model = ModelOpening.Open(load, wantsOutline: true, NullLogger.Instance);
        using (model.Plan)
        {
            using (model.Opened.Session)
            {
                var took = Stopwatch.GetElapsedTime(started);
                var original = model.Definition.Outline ?? throw new InvalidModelException($"{Path.GetFileName(model.Definition.File)} loads, but is no ONNX file whose graph could be read.");
                var subject = DoctorSubject.Of(original, model.Opened.Optimized, isForGpu, !model.Plan.IsCpuOnly, wanted);
                return new DoctorReport(
                    load.ModelName,
                    load.ModelVersion,
                    model.Plan.Device,
                    model.Plan.ProviderNames,
                    (long)took.TotalMilliseconds,
                    original.Graph.Node.Count,
                    model.Opened.Optimized?.Graph.Node.Count,
                    OnnxTensors.Of(original).Sum(tensor => Math.Min(long.MaxValue / 1_000_000, OnnxTensors.ElementCount(tensor)) * OnnxTensors.ElementBytes(tensor.DataType)),
                    original.OpsetImport.FirstOrDefault(set => set.Domain is "" or "ai.onnx")?.Version ?? 0,
                    GraphDoctor.Examine(subject),
                    model.Plan.Notes);
            }
        }
    }
}
