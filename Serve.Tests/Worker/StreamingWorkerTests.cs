using System.Text;
using Serve.Core.Protocol;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Worker;

/// <summary>What a worker says while its handler streams, frame by frame.</summary>
public sealed class StreamingWorkerTests : IDisposable
{
    private readonly HandlerModel _model = HandlerModel.WithTestHandlers();
    private readonly Steps _steps = new();

    public void Dispose()
    {
        _steps.Dispose();
        _model.Dispose();
    }

    [Fact]
    public async Task Parts_are_outputs_without_the_last_flag_and_calls_end_one_by_one()
    {
        using var worker = WorkerConnection.StartReady(_model.Folder, _steps.Configuration(batchSize: 2));
        var handler = await _steps.NextAsync();
        worker.Run(1, "a"u8, more: true, flush: false);
        worker.Run(2, "b"u8);
        await handler.ExpectAsync("begin a b");

        await handler.PartAsync("a", "1");
        await handler.PartAsync("b", "1");
        await handler.DoAsync("end a 2");
        await handler.PartAsync("b", "2");
        worker.Send(FrameType.Cancel, 2);
        await handler.ExpectAsync("cancelled b");
        await handler.DoAsync("part b 3", " False");

        Assert.Equal((1, 200, "text/plain", "1", false), Next(worker));
        Assert.Equal((2, 200, "text/plain", "1", false), Next(worker));
        Assert.Equal((1, 200, "", "2", true), Next(worker));
        Assert.Equal((2, 200, "", "2", false), Next(worker));
        Assert.Equal((2, 499, "", "", true), Next(worker));
    }

    [Fact]
    public async Task A_part_waits_while_the_client_has_not_taken_those_before_it()
    {
        using var worker = WorkerConnection.StartReady(_model.Folder, _steps.Configuration(batchSize: 1));
        var handler = await _steps.NextAsync();
        worker.Run(1, "a"u8);
        await handler.ExpectAsync("begin a");

        // Four parts of 64 KiB and what they cost beside fill the room; 16 parts are 1 MiB.
        handler.Tell($"flood a {1 << 20}");
        await handler.ExpectAsync($"waits a {4 * (64 << 10)}");
        for (var part = 0; part < 16; part++)
        {
            Assert.Equal((64 << 10, (byte)part), NextLength(worker));
            worker.Send(FrameType.Taken, 1, BitConverter.GetBytes((ulong)PartWindow.CostOf(64 << 10)));
        }

        await handler.ExpectAsync($"flood a {1 << 20} True");
        await handler.DoAsync("end a");
        Assert.Equal((1, 200, "", "", true), Next(worker));
    }

    [Fact]
    public async Task A_part_that_waits_for_its_client_ends_when_the_client_leaves()
    {
        using var worker = WorkerConnection.StartReady(_model.Folder, _steps.Configuration(batchSize: 1));
        var handler = await _steps.NextAsync();
        worker.Run(1, "a"u8);
        await handler.ExpectAsync("begin a");

        handler.Tell($"flood a {1 << 20}");
        await handler.ExpectAsync($"waits a {4 * (64 << 10)}");
        worker.Send(FrameType.Cancel, 1);
        Assert.Equal(["cancelled a", $"flood a {1 << 20} False"], new[] { await handler.SaysAsync(), await handler.SaysAsync() }.Order());
    }

    private static (int Id, int Status, string ContentType, string Text, bool IsLast) Next(WorkerConnection worker)
    {
        var (id, flags, body) = worker.ReadOutput();
        var output = OutputFrame.Parse(body);
        return ((int)id, output.Status, Encoding.ASCII.GetString(output.ContentType), Encoding.UTF8.GetString(output.Body), (flags & FrameHeader.Last) != 0);
    }

    private static (int Length, byte First) NextLength(WorkerConnection worker)
    {
        var (_, _, body) = worker.ReadOutput();
        var output = OutputFrame.Parse(body);
        return (output.Body.Length, output.Body[0]);
    }
}
