using System.Buffers;
using System.Buffers.Binary;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Worker;

public sealed class PendingRequestsTests
{
    [Fact]
    public void Every_device_that_waits_begins_when_a_delayed_batch_becomes_ready_at_once()
    {
        var pending = new PendingRequests(new OneRowWork(), new RequestPool(), instances: 2, TimeProvider.System);
        WorkerRequest[] requests = [Request(1), Request(2)];
        pending.Arrive(requests[0], more: true);
        pending.Arrive(requests[1], more: false);
        using var begun = new CountdownEvent(2);
        var devices = Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            using var batch = new Batch();
            if (pending.TakeBatch(batch)) begun.Signal();
        })).ToList();

        foreach (var device in devices) device.Start();
        foreach (var device in devices) Assert.True(SpinWait.SpinUntil(() => device.ThreadState.HasFlag(ThreadState.WaitSleepJoin), TimeSpan.FromSeconds(30)));
        foreach (var request in requests)
        {
            Assert.True(pending.BeginDecoding(request));
            pending.EndDecoding(request, new DecodedRow(1, 0), byReader: false);
        }

        var haveBegun = begun.Wait(TimeSpan.FromSeconds(10));
        pending.Close();
        foreach (var device in devices) Assert.True(device.Join(TimeSpan.FromSeconds(30)));
        Assert.True(haveBegun, "a device sleeps beside a row that is ready");
    }

    private static WorkerRequest Request(ulong id)
    {
        // A Run of one row without deadline, headers and parts: tensors for a model without inputs.
        var frame = ArrayPool<byte>.Shared.Rent(24);
        frame.AsSpan(0, 24).Clear();
        BinaryPrimitives.WriteInt64LittleEndian(frame, -1);
        frame[8] = 1;
        var request = new WorkerRequest();
        request.Accept(id, frame, 24, TimeProvider.System.GetTimestamp(), TimeProvider.System.TimestampFrequency, carriesTensors: true);
        return request;
    }

    private sealed class OneRowWork : StubWork
    {
        public override bool Decodes => true;

        public override int MaxBatchRows => 1;
    }
}
