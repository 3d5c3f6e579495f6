using System.Globalization;
using System.Net;
using System.Threading.Channels;
using Serve.Benchmarks.NoOp;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Peers;

/// <summary>
/// The usual dynamic batchers, as simply as can be: Kestrel, a queue, and the <see cref="SyntheticDevice"/> in the same
/// process, so that nothing but the rule by which batches close is compared.
/// </summary>
internal sealed class TextbookBatcher : IDisposable
{
    /// <summary>The first argument that turns this program into the peer.</summary>
    public const string Verb = "peer-batcher";

    /// <summary>TorchServe's rule: the free device takes the first request and waits until the batch is full, for at most 10 ms.</summary>
    public const string FixedDelay = "delay";

    /// <summary>A batch is closed when it is handed out, one while another executes.</summary>
    public const string OneAhead = "ahead";

    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(10);

    private readonly PeerProcess _process;

    /// <param name="policy">When a batch closes.</param>
    public TextbookBatcher(string policy)
    {
        _process = new PeerProcess([Verb, policy], new Dictionary<string, string>());
        Address = new IPEndPoint(IPAddress.Loopback, int.Parse(_process.Read(), CultureInfo.InvariantCulture));
    }

    public IPEndPoint Address { get; }

    public void Dispose() => _process.Dispose();

    /// <summary>The peer's own main program.</summary>
    public static Task RunAsync(string policy)
    {
        var queue = Channel.CreateUnbounded<TaskCompletionSource>();
        _ = policy == FixedDelay ? CollectAsync(queue.Reader) : HandOutAsync(queue.Reader);
        return BareKestrel.ServeAsync("pool", () =>
        {
            var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            queue.Writer.TryWrite(answer);
            return new ValueTask(answer.Task);
        });
    }

    private static async Task CollectAsync(ChannelReader<TaskCompletionSource> queue)
    {
        using var device = new Device(capacity: 1);
        while (await queue.WaitToReadAsync())
        {
            var batch = TakeAll(queue, []);
            using var limit = new CancellationTokenSource(Delay);
            try
            {
                while (batch.Count < SyntheticDevice.BatchSize && await queue.WaitToReadAsync(limit.Token)) TakeAll(queue, batch);
            }
            catch (OperationCanceledException)
            {
                // The delay has passed: what there is goes.
            }

            await device.ExecuteAsync(batch);
        }
    }

    private static async Task HandOutAsync(ChannelReader<TaskCompletionSource> queue)
    {
        using var device = new Device(capacity: 2);
        while (await queue.WaitToReadAsync())
        {
            await device.WaitForRoomAsync();
            device.Add(TakeAll(queue, []));
        }
    }

    private static List<TaskCompletionSource> TakeAll(ChannelReader<TaskCompletionSource> queue, List<TaskCompletionSource> batch)
    {
        while (batch.Count < SyntheticDevice.BatchSize && queue.TryRead(out var request)) batch.Add(request);
        return batch;
    }

    /// <summary>Executes batches on a thread of its own, in order.</summary>
    private sealed class Device : IDisposable
    {
        private readonly Channel<List<TaskCompletionSource>> _batches = Channel.CreateUnbounded<List<TaskCompletionSource>>();
        private readonly SemaphoreSlim _room;

        public Device(int capacity)
        {
            _room = new SemaphoreSlim(capacity);
            new Thread(Run) { IsBackground = true, Name = "device" }.Start();
        }

        public Task WaitForRoomAsync() => _room.WaitAsync();

        public void Add(List<TaskCompletionSource> batch) => _batches.Writer.TryWrite(batch);

        public async Task ExecuteAsync(List<TaskCompletionSource> batch)
        {
            var last = batch[^1].Task;
            Add(batch);
            await last;
        }

        public void Dispose() => _room.Dispose();

        private void Run()
        {
            while (_batches.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                while (_batches.Reader.TryRead(out var batch))
                {
                    SyntheticDevice.Execute(batch.Count);
                    _room.Release();
                    foreach (var request in batch) request.SetResult();
                }
            }
        }
    }
}
