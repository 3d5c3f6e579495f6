using System.Diagnostics;
using System.Runtime.InteropServices;
using Serve.Core.Protocol;

namespace Serve.Tests.Worker;

public sealed partial class WorkerProcessTests : IDisposable
{
    private readonly HandlerModel _model = HandlerModel.WithTestHandlers();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void A_worker_says_who_it_is_before_anything_else()
    {
        using var worker = WorkerConnection.Start(token: "one-time");

        var hello = ProtocolJson.Read(worker.ReadBody(FrameType.Hello), ProtocolJson.Default.HelloMessage);

        Assert.Equal((1, "one-time", worker.Process.Id), (hello.Protocol, hello.Token, hello.Pid));
        Assert.StartsWith("serve-worker ", hello.Worker, StringComparison.Ordinal);
    }

    [Fact]
    public void A_frame_of_an_unknown_type_is_skipped_before_the_load_too()
    {
        using var worker = WorkerConnection.Start();
        worker.Send((FrameType)200, 1, "new"u8);
        worker.Send((FrameType)201, 2, "newer"u8);

        worker.Load(_model.Folder, HandlerModel.Configuration("EchoHandler"));

        worker.Read(FrameType.Ready);
    }

    [Fact]
    public void Stop_ends_a_worker_with_exit_code_0()
    {
        using var worker = StartReady("EchoHandler");

        worker.Send(FrameType.Stop);

        Assert.Equal(0, worker.WaitForExit());
    }

    [Fact]
    public void A_worker_leaves_when_its_socket_ends()
    {
        using var worker = StartReady("EchoHandler");

        worker.CloseSocket();

        Assert.Equal(3, worker.WaitForExit());
    }

    [Fact]
    public void A_worker_leaves_when_its_socket_ends_although_its_device_thread_is_stuck()
    {
        using var worker = StartReady("StuckHandler");
        worker.Run(1, "stuck");
        Assert.Equal([1ul], worker.ReadBegun());

        worker.CloseSocket();

        Assert.Equal(3, worker.WaitForExit());
    }

    [Fact]
    public void Begun_can_be_read_after_a_crash()
    {
        using var worker = StartReady("PoisonHandler");
        worker.Run(1, "fine");
        Assert.Equal("fine", worker.ReadAnswer().Text);

        worker.Run(2, "die");

        Assert.Equal([2ul], worker.ReadBegun());
        Assert.True(worker.EndsConnection());
    }

    [Fact]
    public void A_worker_heartbeats_while_its_device_thread_is_stuck()
    {
        using var worker = WorkerConnection.Start();
        worker.Load(_model.Folder, HandlerModel.Configuration("StuckHandler"), heartbeatMilliseconds: 20);
        worker.Read(FrameType.Ready);
        worker.Run(1, "stuck");
        worker.ReadBegun();

        for (var i = 0; i < 3; i++)
        {
            var gauge = ProtocolJson.Read(worker.ReadBody(FrameType.Gauge), ProtocolJson.Default.GaugeMessage);
            Assert.True(gauge.ResidentBytes > 1 << 20);
        }
    }

    [Fact]
    public void Gauges_count_batches_and_rows()
    {
        using var worker = WorkerConnection.Start();
        worker.Load(_model.Folder, HandlerModel.Configuration("EchoHandler"), heartbeatMilliseconds: 20);
        worker.Read(FrameType.Ready);
        for (ulong id = 1; id <= 3; id++)
        {
            worker.Run(id, "x");
            worker.ReadAnswer();
        }

        GaugeMessage gauge;
        do gauge = ProtocolJson.Read(worker.ReadBody(FrameType.Gauge), ProtocolJson.Default.GaugeMessage);
        while (gauge.Batches < 3);

        Assert.Equal((3L, 3L, 0, 0), (gauge.Batches, gauge.Rows, gauge.DecodeQueue, gauge.Ready));
        Assert.True(gauge.BusyMicroseconds >= 0);
    }

    [Fact]
    public void A_terminals_signals_are_left_to_the_frontend()
    {
        using var worker = StartReady("EchoHandler");

        const int interrupt = 2, terminate = 15;
        Assert.Equal(0, Kill(worker.Process.Id, interrupt));
        Assert.Equal(0, Kill(worker.Process.Id, terminate));
        worker.Run(1, "still here");

        Assert.Equal("still here", worker.ReadAnswer().Text);
    }

    [Fact]
    public void A_worker_whose_parent_is_another_process_does_not_start()
    {
        var start = WorkerConnection.StartInfo(_model.File("none.sock"), parent: 1, "token");

        var (code, error) = RunToEnd(start);

        Assert.Equal(3, code);
        Assert.Contains("The parent is not process 1", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void A_worker_without_token_or_with_telemetry_on_does_not_start(bool hasToken, bool hasTelemetry)
    {
        var start = WorkerConnection.StartInfo(_model.File("none.sock"), Environment.ProcessId, hasToken ? "token" : null);
        if (hasTelemetry) start.Environment["ORT_DISABLE_TELEMETRY"] = "0";
        else if (hasToken) start.Environment.Remove("ORT_DISABLE_TELEMETRY");

        var (code, error) = RunToEnd(start);

        Assert.Equal(2, code);
        Assert.Contains(hasToken ? "ORT_DISABLE_TELEMETRY is not 1" : "SERVE_WORKER_TOKEN", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_before_ready_breaks_the_protocol()
    {
        using var worker = WorkerConnection.Start();

        worker.Run(1, "too early");

        Assert.Equal(3, worker.WaitForExit());
        Assert.Contains("A Run instead of Load", worker.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_frame_is_skipped_and_a_malformed_one_ends_the_connection()
    {
        using var worker = StartReady("EchoHandler");

        worker.Send((FrameType)200, 1, "from the future"u8);
        worker.Run(1, "fine");
        Assert.Equal("fine", worker.ReadAnswer().Text);

        worker.Send(FrameType.Run, 2, new byte[10]);
        Assert.Equal(3, worker.WaitForExit());
        Assert.Contains("broke the protocol", worker.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void Onnx_Runtime_leaves_no_telemetry_behind()
    {
        var home = Directory.CreateTempSubdirectory("serve-home").FullName;
        try
        {
            using (var worker = WorkerConnection.StartReady(FashionData.ModelFolder, FashionData.Configuration, UseHome))
            {
                worker.Run(1, FashionData.Picture(0));
                Assert.Equal(200, worker.ReadAnswer().Status);
                worker.Send(FrameType.Stop);
                Assert.Equal(0, worker.WaitForExit());
            }

            Assert.Empty(Directory.EnumerateFileSystemEntries(home, "*", SearchOption.AllDirectories));
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }

        void UseHome(ProcessStartInfo start)
        {
            foreach (var name in new[] { "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR" }) start.Environment[name] = home;
            start.Environment["DOTNET_EnableDiagnostics"] = "0"; // its socket would be in TMPDIR
        }
    }

    private static (int Code, string Error) RunToEnd(ProcessStartInfo start)
    {
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    private WorkerConnection StartReady(string handler) => WorkerConnection.StartReady(_model.Folder, HandlerModel.Configuration(handler));
}
