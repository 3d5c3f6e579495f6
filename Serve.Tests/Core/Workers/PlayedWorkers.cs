using System.Globalization;
using System.Net.Sockets;
using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Protocol;
using Serve.Core.Workers;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Core.Workers;

/// <summary>
/// Workers whose processes only say where they are to connect, and wait: the test is at the other end of their sockets, which
/// therefore do not end with the processes. Each has a child that holds its output, as programs do that a handler starts.
/// </summary>
internal sealed class PlayedWorkers : IDeviceProbe, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<PlayedWorker> _played = [];
    private int _deviceReadings;

    public PlayedWorkers()
    {
        var executable = _folder.Write("worker.sh", """
            #!/bin/sh
            sleep 600 &
            echo "$2 $SERVE_WORKER_TOKEN $$ $!"
            wait
            """.ReplaceLineEndings("\n"));
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(executable, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(_folder["model"]);
        Settings = new WorkerSettings
        {
            Executable = executable,
            RuntimeFolder = _folder.Path,
            HeartbeatInterval = TimeSpan.FromSeconds(1),
            HeartbeatTimeout = TimeSpan.FromSeconds(5),
            DrainTimeout = TimeSpan.FromSeconds(30),
            CompleteInline = true,
            BodyMemory = 0,
            Cache = new CacheMessage(_folder["cache"], 0),
            SecretVariables = [],
        };
    }

    public WatchedTime Time { get; } = new();

    public LineLog Log { get; } = new();

    public WorkerSettings Settings { get; }

    public WorkerSpawner Spawner { get; } = new();

    public WorkerEnvironment Environment => new(Settings, Spawner, Time, () => 1, new DeviceMonitor(this, Time));

    /// <summary>What there is to load.</summary>
    public LoadMessage Load(ModelConfiguration configuration) => new("played", "1.0", ModelFolder, configuration, new DeviceMessage(configuration.DeviceType, 0), 1000, 1);

    /// <summary>The model's folder, which is empty.</summary>
    public string ModelFolder => _folder["model"];

    /// <summary>How often the driver of the GPUs was asked.</summary>
    public int DeviceReadings => Volatile.Read(ref _deviceReadings);

    /// <summary>The next worker that was started, connected.</summary>
    public async Task<PlayedWorker> NextAsync()
    {
        var words = (await Log.NextAsync(".sock ")).Split(' ');
        var played = new PlayedWorker(words[^4], words[^3], int.Parse(words[^2], CultureInfo.InvariantCulture), int.Parse(words[^1], CultureInfo.InvariantCulture));
        _played.Add(played);
        return played;
    }

    public void Dispose()
    {
        foreach (var played in _played) played.Dispose();
        Spawner.Dispose();
        _folder.Dispose();
    }

    IReadOnlyList<DeviceReading> IDeviceProbe.Read()
    {
        Interlocked.Increment(ref _deviceReadings);
        return [];
    }
}

/// <summary>One of them: the worker's end of the socket, and its process.</summary>
internal sealed class PlayedWorker : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly FrameSender _sender;
    private readonly string _token;

    public PlayedWorker(string path, string token, int pid, int child)
    {
        (_token, Pid, Child) = (token, pid, child);
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        _sender = new FrameSender(_socket, "played");
    }

    /// <summary>Its process.</summary>
    public int Pid { get; }

    /// <summary>The process that holds its output.</summary>
    public int Child { get; }

    public void SayHello() => Say(FrameType.Hello, new HelloMessage(HelloMessage.Current, _token, Pid, "played"), ProtocolJson.Default.HelloMessage);

    public void SayReady(ReadyMessage? ready = null) => Say(FrameType.Ready, ready ?? new ReadyMessage(8, "cpu:0", "test"), ProtocolJson.Default.ReadyMessage);

    public void SayLoadFailed() => Say(FrameType.LoadFailed, new LoadFailedMessage("InternalServerException", "why"), ProtocolJson.Default.LoadFailedMessage);

    public void SayGauge() => Say(FrameType.Gauge, new GaugeMessage(), ProtocolJson.Default.GaugeMessage);

    /// <summary>Ends its connection.</summary>
    public void Disconnect() => _socket.Shutdown(SocketShutdown.Both);

    public void Dispose()
    {
        Signals.Kill(Child);
        try
        {
            Disconnect();
        }
        catch (SocketException)
        {
            // It was at its end.
        }

        _sender.Dispose();
        _socket.Dispose();
    }

    private void Say<T>(FrameType type, T message, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> json)
    {
        ProtocolJson.Enqueue(_sender, type, message, json);
        _sender.FlushAndWait();
    }
}
