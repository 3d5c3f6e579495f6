using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Protocol;
using Serve.Core.Tensors;

namespace Serve.Tests.Worker;

/// <summary>A real worker process, spoken to in the worker protocol as the frontend does. What it logs is shown when a test fails.</summary>
internal sealed class WorkerConnection : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("serve-worker-test").FullName;
    private readonly StringBuilder _log = new();
    private readonly Queue<(ulong Id, byte Flags, byte[] Body)> _earlierAnswers = new();
    private readonly Socket _socket;
    private readonly FrameReader _reader;
    private readonly FrameSender _sender;

    private WorkerConnection(Action<ProcessStartInfo>? environment, string? token, int? parent)
    {
        var path = Path.Combine(_folder, "worker.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);

        var start = StartInfo(path, parent ?? Environment.ProcessId, token);
        environment?.Invoke(start);
        // The thread that starts a worker must outlive it (PR_SET_PDEATHSIG): tests run on pool threads, which may end.
        Process = Spawner.Start(start);
        Process.OutputDataReceived += Log;
        Process.ErrorDataReceived += Log;
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();

        if (!listener.Poll(Patience, SelectMode.SelectRead)) throw new InvalidOperationException("The worker does not connect.\n" + LogText);
        _socket = listener.Accept();
        _socket.ReceiveTimeout = (int)Patience.TotalMilliseconds;
        _reader = new FrameReader(_socket);
        _sender = new FrameSender(_socket, "test sender");
    }

    public Process Process { get; }

    public ReadyMessage? Ready { get; private set; }

    public string LogText
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

    public static string Executable => Path.Combine(AppContext.BaseDirectory, "serve-worker");

    /// <summary>Starts a worker and waits until it is connected.</summary>
    public static WorkerConnection Start(Action<ProcessStartInfo>? environment = null, string? token = "test-token", int? parent = null) => new(environment, token, parent);

    /// <summary>Starts a worker and has it load a model.</summary>
    public static WorkerConnection StartReady(string modelFolder, ModelConfiguration configuration, Action<ProcessStartInfo>? environment = null)
    {
        var worker = Start(environment);
        worker.Load(modelFolder, configuration);
        worker.Ready = worker.Read(FrameType.Ready, FrameType.LoadFailed) is (FrameType.Ready, _, var body)
            ? ProtocolJson.Read(body, ProtocolJson.Default.ReadyMessage)
            : throw new InvalidOperationException("The model did not load.\n" + worker.LogText);
        return worker;
    }

    /// <summary>Has a worker load a model that must fail.</summary>
    public static LoadFailedMessage LoadFailing(string modelFolder, ModelConfiguration configuration)
    {
        using var worker = Start();
        worker.Load(modelFolder, configuration);
        return ProtocolJson.Read(worker.ReadBody(FrameType.LoadFailed), ProtocolJson.Default.LoadFailedMessage);
    }

    public static ProcessStartInfo StartInfo(string socket, int parent, string? token)
    {
        var start = new ProcessStartInfo(Executable, ["--socket", socket, "--parent", parent.ToString()]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["ORT_DISABLE_TELEMETRY"] = "1";
        if (token is not null) start.Environment["SERVE_WORKER_TOKEN"] = token;
        return start;
    }

    public void Load(string modelFolder, ModelConfiguration configuration, int heartbeatMilliseconds = 60_000)
    {
        var load = new LoadMessage("test", "1.0", modelFolder, configuration, new DeviceMessage(configuration.DeviceType, 0), heartbeatMilliseconds, 1);
        ProtocolJson.Enqueue(_sender, FrameType.Load, load, ProtocolJson.Default.LoadMessage);
        _sender.Flush(onThisThread: true);
    }

    public void Run(ulong id, ReadOnlySpan<byte> body, string contentType = "", long deadlineMicroseconds = -1, int lane = 0, bool more = false, bool flush = true, params (string Name, string Value)[] headers)
    {
        var payload = RequestPayload.Rent(body.Length);
        foreach (var (name, value) in headers) payload.AddHeader(name, value);
        body.CopyTo(payload.GetSpan(body.Length));
        payload.Advance(body.Length);
        payload.AddPart("body", contentType, 0, body.Length);
        RunFrame.Enqueue(_sender, id, more, deadlineMicroseconds, 1, lane, payload);
        payload.Release();
        if (flush) Flush();
    }

    /// <summary>A request of tensors.</summary>
    public void RunTensors(ulong id, IReadOnlyList<TestTensor> tensors, bool flush = true, params (string Name, string Value)[] headers)
    {
        var payload = RequestPayload.Rent(0);
        foreach (var (name, value) in headers) payload.AddHeader(name, value);
        payload.CarriesTensors = true;
        foreach (var tensor in tensors)
        {
            var at = payload.Body.Length;
            tensor.Data.CopyTo(payload.GetSpan(tensor.Data.Length));
            payload.Advance(tensor.Data.Length);
            payload.AddTensor(tensor.Name, tensor.Element, tensor.Shape, at, tensor.Data.Length);
        }

        var rows = Ready is { Signature: { } signature } && tensors.Count > 0 ? (int)Math.Min(int.MaxValue, SignatureCheck.RowsOf(signature, tensors[0].Shape)) : 1;
        RunFrame.Enqueue(_sender, id, more: false, -1, rows, 0, payload);
        payload.Release();
        if (flush) Flush();
    }

    public void Run(ulong id, string body, string contentType = "application/json") => Run(id, Encoding.UTF8.GetBytes(body), contentType);

    public void Send(FrameType type, ulong id = 0, ReadOnlySpan<byte> body = default)
    {
        _sender.Enqueue(type, 0, id, body);
        Flush();
    }

    public void Recall(uint rows) => Send(FrameType.Recall, 0, BitConverter.GetBytes(rows));

    public void Flush() => _sender.Flush(onThisThread: true);

    /// <summary>
    /// The next frame of one of these types; frames of other types (heartbeats) are passed over. Answers are kept for whoever
    /// reads them later: the next batch may begin before or after the one before it is answered.
    /// </summary>
    public (FrameType Type, ulong Id, byte[] Body) Read(params FrameType[] types)
    {
        if (types.Contains(FrameType.Output) && _earlierAnswers.TryDequeue(out var earlier)) return (FrameType.Output, earlier.Id, earlier.Body);

        // Heartbeats keep the socket's own time-out from ever passing.
        var start = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(start) < Patience)
        {
            while (_reader.TryRead())
            {
                if (types.Contains(_reader.Header.Type)) return (_reader.Header.Type, _reader.Header.Id, _reader.Body.ToArray());
                if (_reader.Header.Type == FrameType.Output) _earlierAnswers.Enqueue((_reader.Header.Id, _reader.Header.Flags, _reader.Body.ToArray()));
            }

            try
            {
                if (_reader.Receive()) continue;
            }
            catch (SocketException e)
            {
                throw new InvalidOperationException($"No {string.Join(" or ", types)} came: {e.Message}\n{LogText}", e);
            }

            throw new InvalidOperationException($"The worker closed the connection instead of sending {string.Join(" or ", types)}.\n{LogText}");
        }

        throw new InvalidOperationException($"No {string.Join(" or ", types)} came within {Patience.TotalSeconds} s.\n{LogText}");
    }

    /// <summary>The next Output: an answer, or a part of one.</summary>
    public (ulong Id, byte Flags, byte[] Body) ReadOutput()
    {
        if (_earlierAnswers.TryDequeue(out var earlier)) return earlier;
        var (_, id, body) = Read(FrameType.Output);
        return (id, _reader.Header.Flags, body);
    }

    public byte[] ReadBody(FrameType type) => Read(type).Body;

    public Answer ReadAnswer()
    {
        var (_, id, body) = Read(FrameType.Output);
        var output = OutputFrame.Parse(body);
        return new Answer(id, output.Status, Encoding.ASCII.GetString(output.ContentType), output.Body.ToArray(), output.Times, output.ReadHeaders());
    }

    public List<Answer> ReadAnswers(int count) => [.. Enumerable.Range(0, count).Select(_ => ReadAnswer())];

    public ulong[] ReadBegun() => IdListFrame.Parse(ReadBody(FrameType.Begun)).ToArray();

    /// <summary>Whether the connection ends; frames before that are passed over.</summary>
    public bool EndsConnection()
    {
        try
        {
            while (_reader.Receive())
            {
                while (_reader.TryRead())
                {
                }
            }

            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset)
        {
            return true;
        }
    }

    /// <summary>Ends the connection without a word, as a frontend that was killed.</summary>
    public void CloseSocket()
    {
        _socket.Shutdown(SocketShutdown.Both);
        _socket.Dispose();
    }

    /// <summary>Waits until the worker has left and its last line is read.</summary>
    /// <returns>The exit code.</returns>
    public int WaitForExit()
    {
        if (!Process.WaitForExit(Patience)) throw new InvalidOperationException("The worker does not leave.\n" + LogText);
        Process.WaitForExit(); // without a limit it waits for the end of the output too
        return Process.ExitCode;
    }

    public void Dispose()
    {
        if (!Process.HasExited) Process.Kill();
        Process.WaitForExit();
        _socket.Dispose();
        _sender.Dispose();
        _reader.Dispose();
        Process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private void Log(object sender, DataReceivedEventArgs line)
    {
        lock (_log) _log.AppendLine(line.Data);
    }

    /// <summary>One thread that starts all workers of the tests and lives as long as the process.</summary>
    private static class Spawner
    {
        private static readonly System.Collections.Concurrent.BlockingCollection<Action> Work = [];

        static Spawner() => new Thread(() =>
        {
            foreach (var action in Work.GetConsumingEnumerable()) action();
        })
        { IsBackground = true, Name = "spawner" }.Start();

        public static Process Start(ProcessStartInfo start)
        {
            var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
            Work.Add(() =>
            {
                try
                {
                    started.SetResult(Process.Start(start)!);
                }
                catch (Exception e)
                {
                    started.SetException(e);
                }
            });
            return started.Task.GetAwaiter().GetResult();
        }
    }

    /// <summary>An answer of the worker's.</summary>
    public sealed record Answer(ulong Id, int Status, string ContentType, byte[] Body, OutputTimes Times, IReadOnlyList<KeyValuePair<string, string>> Headers)
    {
        public override string ToString() => $"{Id}: {Status} {ContentType} {Text}";

        public string Text => Encoding.UTF8.GetString(Body);

        public JsonElement Json => JsonDocument.Parse(Body).RootElement;

        /// <summary>The tensors of an answer that has them.</summary>
        public IReadOnlyList<TestTensor> Tensors => TestTensor.ReadList(ContentType == TensorListWriter.ContentType ? Body : throw new InvalidOperationException($"No tensors: {this}"));

        public ErrorMessage Error => JsonSerializer.Deserialize(Body, ProtocolJson.Default.ErrorMessage)!;
    }
}
