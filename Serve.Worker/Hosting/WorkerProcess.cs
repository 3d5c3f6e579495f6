using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Worker.Execution;
using Serve.Worker.Pipeline;

namespace Serve.Worker.Hosting;

/// <summary>
/// One worker from Hello to its end. The calling thread is the reader's: it returns when the connection ends, whatever the
/// others do. A second thread loads the model and becomes the first device thread.
/// </summary>
internal sealed partial class WorkerProcess
{
    // The kernel doubles it; larger is refused on most machines (net.core.wmem_max).
    private const int SendBufferBytes = 212_992;

    private static readonly TimeSpan DisposeLimit = TimeSpan.FromSeconds(1);

    private readonly WorkerArguments _arguments;
    private readonly ConsoleLogger _logger = new(LogLevel.Information);
    private readonly FrameReader _reader;
    private readonly FrameSender _sender;
    private readonly FrameIntake _intake;
    private IModelWork? _work;

    private WorkerProcess(WorkerArguments arguments, FrameReader reader, FrameSender sender)
    {
        _arguments = arguments;
        _reader = reader;
        _sender = sender;
        _intake = new FrameIntake(reader, sender, TimeProvider.System);
    }

    /// <summary>Connects and serves until the frontend says Stop or the connection ends.</summary>
    /// <returns>The exit code. Threads may still run: leave at once.</returns>
    public static int Run(WorkerArguments arguments)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { SendBufferSize = SendBufferBytes };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(arguments.SocketPath));
            // Neither is disposed of: the process ends, and the sender's thread may be in the middle of a call.
            return new WorkerProcess(arguments, new FrameReader(socket), new FrameSender(socket, "sender")).Serve();
        }
        catch (SocketException e)
        {
            Console.Error.WriteLine($"The connection to the frontend ended: {e.Message}");
            return ExitCodes.ConnectionEnded;
        }
        catch (ProtocolException e)
        {
            Console.Error.WriteLine($"The frontend broke the protocol: {e.Message}");
            return ExitCodes.ConnectionEnded;
        }
    }

    private int Serve()
    {
        SayHello();
        if (ReceiveLoad() is not { } load) return ExitCodes.ConnectionEnded;
        new Thread(() => LoadAndExecute(load)) { IsBackground = true, Name = "device 0" }.Start();
        if (!_intake.Run()) return ExitCodes.ConnectionEnded;
        DisposeHandler();
        return ExitCodes.Stopped;
    }

    private void SayHello()
    {
        var hello = new HelloMessage(HelloMessage.Current, _arguments.Token, Environment.ProcessId, $"serve-worker {ServeVersion.Text}");
        ProtocolJson.Enqueue(_sender, FrameType.Hello, hello, ProtocolJson.Default.HelloMessage);
        _sender.FlushAndWait();
    }

    private LoadMessage? ReceiveLoad()
    {
        do
        {
            while (_reader.TryRead())
            {
                switch (_reader.Header.Type)
                {
                    case FrameType.Load:
                        return ProtocolJson.Read(_reader.Body, ProtocolJson.Default.LoadMessage);
                    case FrameType.Stop:
                        return null;
                    case var other when Enum.IsDefined(other):
                        throw new ProtocolException($"A {other} instead of Load.");
                }

                // Any other type is of a newer frontend.
            }
        }
        while (_reader.Receive());

        return null;
    }

    private void LoadAndExecute(LoadMessage load)
    {
        var heartbeat = new HeartbeatThread(_sender, TimeSpan.FromMilliseconds(Math.Max(1, load.HeartbeatMilliseconds)));
        heartbeat.Start();
        try
        {
            var started = Stopwatch.GetTimestamp();
            var loader = new ModelLoader(load, _logger);
            var model = loader.Load();
            var pipeline = new WorkerPipeline(model.Work, load.Configuration.Instances, ParentProcess.IsTied, _sender, TimeProvider.System) { DeviceThreadEnded = LeaveWithDefect };
            pipeline.Start(load.Configuration.DecodeThreads > 0 ? load.Configuration.DecodeThreads : CpuBudget.DecodeThreads(load.HostWorkers));
            _work = model.Work;
            var bodies = BodyMemory.Open(load.Bodies, _logger);
            _intake.Serve(pipeline, bodies);
            heartbeat.Observe(pipeline, loader.Metrics);
            SayReady(load, loader.HandlerName, model, Stopwatch.GetElapsedTime(started), readsBodies: bodies is not null);
            pipeline.RunFirstDevice(model.Runner);
        }
        catch (Exception e) when (_work is null)
        {
            SayLoadFailed(e);
            ParentProcess.Leave(ExitCodes.LoadFailed);
        }
        catch (Exception e)
        {
            LeaveWithDefect(e);
        }
    }

    private void LeaveWithDefect(Exception error)
    {
        Log.DeviceThreadEnded(_logger, error);
        ParentProcess.Leave(ExitCodes.Defect);
    }

    private void SayReady(LoadMessage load, string handler, LoadedModel model, TimeSpan took, bool readsBodies)
    {
        var credit = load.Configuration.BatchSize * (load.Configuration.Instances + 1);
        var ready = new ReadyMessage(credit, model.Device, handler, model.Signature, (long)took.TotalMilliseconds, model.Notes, model.Work.WarmUpTimes, model.IsDecoupled, readsBodies);
        ProtocolJson.Enqueue(_sender, FrameType.Ready, ready, ProtocolJson.Default.ReadyMessage);
        _sender.Flush(onThisThread: true);
        Log.Ready(_logger, load.ModelName, load.ModelVersion, handler, model.Device, (long)took.TotalMilliseconds);
    }

    private void SayLoadFailed(Exception error)
    {
        // What the worker found wrong itself needs no stack; what a handler or a defect threw does.
        var cause = error is ServeException ? error.InnerException : error;
        Log.LoadFailed(_logger, error.Message, cause is OnnxRuntimeException ? null : cause);
        var failed = error is ServeException known
            ? new LoadFailedMessage(known.Type, known.Message, known is not OutOfResourcesException, known is OutOfResourcesException)
            : new LoadFailedMessage("InternalServerException", $"The worker failed to load the model with {error.GetType().Name}: {error.Message}", error is not OutOfMemoryException, error is OutOfMemoryException);
        ProtocolJson.Enqueue(_sender, FrameType.LoadFailed, failed, ProtocolJson.Default.LoadFailedMessage);
        _sender.FlushAndWait();
    }

    // A handler may hold files or connections of its own; one that hangs does not keep the worker.
    private void DisposeHandler()
    {
        if (_work is not { } work) return;
        var dispose = new Thread(work.DisposeHandler) { IsBackground = true, Name = "dispose" };
        dispose.Start();
        dispose.Join(DisposeLimit);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Ready: {Model} {Version}, {Handler} on {Device}, loaded in {LoadMilliseconds} ms")]
        public static partial void Ready(ILogger logger, string model, string version, string handler, string device, long loadMilliseconds);

        [LoggerMessage(2, LogLevel.Error, "The model cannot be loaded: {Reason}")]
        public static partial void LoadFailed(ILogger logger, string reason, Exception? error);

        [LoggerMessage(3, LogLevel.Critical, "A device thread ended")]
        public static partial void DeviceThreadEnded(ILogger logger, Exception error);
    }
}
