using System.Diagnostics;
using Serve.Core.Observability;
using Serve.Core.Tracing;

namespace Serve.Tests.Core.Tracing;

/// <summary>How spans leave when they are sent slowly, or not at all.</summary>
public sealed class TraceWriterTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task What_comes_faster_than_it_is_sent_is_dropped_beyond_what_may_wait()
    {
        var export = new SlowExport();
        using (var writer = new TraceWriter(new TraceWriterOptions { MostSpans = 1, MostWaiting = 4, LastPatience = Patience }, export, TimeProvider.System))
        {
            End(writer);
            await export.Begun.WaitAsync(Patience, TestContext.Current.CancellationToken);
            for (var i = 0; i < 100; i++) End(writer);
            export.Go();
        }

        // The first; one whose spans are made; those that wait.
        Assert.InRange(export.Traces, 1 + 4, 1 + 1 + 4);
    }

    [Fact]
    public async Task When_the_server_stops_what_is_not_taken_is_not_waited_for_and_counts_as_dropped()
    {
        var export = new SlowExport();
        var writer = new TraceWriter(new TraceWriterOptions { MostSpans = 1, LastPatience = TimeSpan.FromMilliseconds(20) }, export, TimeProvider.System);
        for (var i = 0; i < 10; i++) End(writer);
        await export.Begun.WaitAsync(Patience, TestContext.Current.CancellationToken);

        var dropped = ServeMetrics.TracesLost.Value;
        var stopping = Task.Run(writer.Dispose, TestContext.Current.CancellationToken);

        await stopping.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(10, ServeMetrics.TracesLost.Value - dropped);
    }

    private static void End(TraceWriter writer) => new RequestTrace(new TraceParent(1, 0, null), new InferPart("infer"), Stopwatch.GetTimestamp(), writer).End(Stopwatch.GetTimestamp());

    private sealed class SlowExport : ISpanExport
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _traces;

        public Task Begun => _begun.Task;

        public int Traces => _traces;

        public void Go() => _go.SetResult();

        public async Task<bool> SendAsync(OtlpSpans spans, CancellationToken ending)
        {
            _begun.TrySetResult();
            try
            {
                await _go.Task.WaitAsync(ending);
            }
            catch (OperationCanceledException)
            {
                return false;
            }

            Interlocked.Add(ref _traces, spans.Traces);
            return true;
        }
    }
}
