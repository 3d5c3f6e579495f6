using Serve.Core.Protocol;
using Serve.Core.Workers;
using Serve.Tests.Core.Protocol;

namespace Serve.Tests.Core.Workers;

public sealed class WorkerLinkTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whole_frames_before_a_malformed_one_count(bool onSocketThread)
    {
        using var sockets = new SocketPair();
        var owner = new Owner();
        using var link = new WorkerLink(sockets.Near, owner, TimeProvider.System, "test", onSocketThread);
        using (var sender = new FrameSender(sockets.Far, "worker"))
        {
            IdListFrame.Enqueue(sender, FrameType.Begun, 1, [7, 8]);
            var head = new byte[100];
            var length = OutputFrame.WriteHead(head, 200, default, "text/plain", []);
            sender.Enqueue(FrameType.Output, FrameHeader.Last, 7, head.AsSpan(0, length), "answer"u8);
            sender.Enqueue(FrameType.Output, FrameHeader.Last, 8, [1]);
            sender.FlushAndWait();
        }

        link.Start();
        var reason = await owner.End.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.StartsWith("it broke the protocol: ", reason, StringComparison.Ordinal);
        Assert.Equal([(FrameType.Begun, 1UL), (FrameType.Output, 7UL)], owner.Applied);
        Assert.Equal([7UL, 8UL], owner.Ids);
    }

    private sealed class Owner : IWorkerLinkOwner
    {
        private readonly TaskCompletionSource<string> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Id => "test";

        public Task<string> End => _end.Task;

        public List<(FrameType Type, ulong Id)> Applied { get; } = [];

        public List<ulong> Ids { get; } = [];

        public void Hello(HelloMessage message)
        {
        }

        public void Ready(ReadyMessage message)
        {
        }

        public void LoadFailed(LoadFailedMessage message)
        {
        }

        public void Gauge(GaugeMessage message)
        {
        }

        public bool Apply(List<LinkEvent> events, List<ulong> ids)
        {
            Applied.AddRange(events.Select(static e => (e.Type, e.Id)));
            Ids.AddRange(ids);
            foreach (var e in events) e.Response?.Dispose();
            return false;
        }

        public void Closed(string reason) => _end.SetResult(reason);
    }
}
