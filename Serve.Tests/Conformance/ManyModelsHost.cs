using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Worker.Execution;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Conformance;

/// <summary>
/// Plays the worker for as many models as a server starts, all in this process: of a thousand small models nearly all the
/// time would go into starting processes. The server is told that a worker is a shell script, which hands its socket and token
/// over to this host and ends when the worker would have; from the socket on everything is the worker's own code.
/// </summary>
internal sealed class ManyModelsHost : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FileStream _calls;
    private readonly ConcurrentDictionary<string, Exception> _defects = [];

    public ManyModelsHost()
    {
        Executable = _folder.Write("worker.sh", $"""
            #!/bin/sh
            end={_folder.Path}/end-$$
            mkfifo -m 600 "$end" || exit 1
            echo "$$ $2 $SERVE_WORKER_TOKEN" > {_folder.Path}/calls
            read -r _ < "$end"
            rm "$end"
            """.ReplaceLineEndings("\n"));
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Executable, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        MakeFifo(_folder["calls"]);

        // Also for writing, so that it has no end while no script writes.
        _calls = OpenFifo(_folder["calls"]);
        new Thread(TakeCalls) { IsBackground = true, Name = "calls" }.Start();
    }

    /// <summary>For <c>--worker-executable</c>.</summary>
    public string Executable { get; }

    /// <summary>What went wrong in the host itself, by worker.</summary>
    public IReadOnlyDictionary<string, Exception> Defects => _defects;

    public void Dispose()
    {
        _calls.Write("\n"u8);
        _calls.Dispose();
        _folder.Dispose();
    }

    private static FileStream OpenFifo(string path) => new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);

    private static void MakeFifo(string path)
    {
        using var process = Process.Start("mkfifo", ["-m", "600", path]);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private void TakeCalls()
    {
        using var reader = new StreamReader(new FileStream(_folder["calls"], FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0));
        while (reader.ReadLine() is { Length: > 0 } line)
        {
            var call = line.Split(' ');
            new Thread(() => Serve(call[0], call[1], call[2])) { IsBackground = true, Name = "worker" }.Start();
        }
    }

    private void Serve(string script, string socketPath, string token)
    {
        using var end = OpenFifo(_folder[$"end-{script}"]);
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(socketPath));
            using var reader = new FrameReader(socket);
            using var sender = new FrameSender(socket, "host");
            ProtocolJson.Enqueue(sender, FrameType.Hello, new HelloMessage(HelloMessage.Current, token, int.Parse(script), "many models"), ProtocolJson.Default.HelloMessage);
            sender.FlushAndWait();
            if (ReceiveLoad(reader) is { } load) Serve(load, reader, sender);
        }
        catch (Exception e) when (e is SocketException)
        {
            // The server has closed the connection: it wants no more of the worker.
        }
        catch (Exception e)
        {
            _defects[socketPath] = e;
        }

        end.Write("\n"u8);
    }

    private static LoadMessage? ReceiveLoad(FrameReader reader)
    {
        do
        {
            if (reader.TryRead()) return reader.Header.Type == FrameType.Load ? ProtocolJson.Read(reader.Body, ProtocolJson.Default.LoadMessage) : null;
        }
        while (reader.Receive());

        return null;
    }

    private static void Serve(LoadMessage load, FrameReader reader, FrameSender sender)
    {
        LoadedModel model;
        var loader = new ModelLoader(load, NullLogger.Instance);
        try
        {
            model = loader.Load();
        }
        catch (ServeException e)
        {
            ProtocolJson.Enqueue(sender, FrameType.LoadFailed, new LoadFailedMessage(e.Type, e.Message), ProtocolJson.Default.LoadFailedMessage);
            sender.FlushAndWait();
            return;
        }

        using var work = model.Work;
        using var runner = model.Runner;
        var pipeline = new WorkerPipeline(work, load.Configuration.Instances, mayRunOnReader: false, sender, TimeProvider.System);
        pipeline.Start(decodeThreads: 1);
        var device = new Thread(() => pipeline.RunFirstDevice(runner)) { IsBackground = true, Name = "device" };
        device.Start();
        var intake = new FrameIntake(reader, sender, TimeProvider.System);
        intake.Serve(pipeline);
        var credit = load.Configuration.BatchSize * (load.Configuration.Instances + 1);
        var ready = new ReadyMessage(credit, model.Device, loader.HandlerName, model.Signature, 1, model.Notes, work.WarmUpTimes, model.IsDecoupled);
        ProtocolJson.Enqueue(sender, FrameType.Ready, ready, ProtocolJson.Default.ReadyMessage);
        sender.FlushAndWait();
        try
        {
            intake.Run();
        }
        finally
        {
            pipeline.Close();
            device.Join();
        }
    }
}
