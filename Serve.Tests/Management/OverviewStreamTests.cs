using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Serve.Core.Observability.Sampling;
using Serve.Management.Overview;

namespace Serve.Tests.Management;

public sealed class OverviewStreamTests
{
    // A client's connection takes so much that nobody has read.
    private const int Buffer = 4096;

    [Fact]
    public async Task A_client_that_does_not_read_costs_its_buffer_and_does_not_hold_up_a_stop()
    {
        var made = 0;
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: Buffer, resumeWriterThreshold: Buffer / 2));
        var abort = new Abort();
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(pipe.Writer.AsStream()));
        context.Features.Set<IHttpRequestLifetimeFeature>(abort);
        using var feed = new SharedFeed<OverviewSample>(token => SamplesAsync(() => Interlocked.Increment(ref made), token));
        using var quick = feed.Listen();
        using var stuck = feed.Listen();

        var writing = OverviewStream.WriteAsync(context, new OverviewSample(Body(0)), stuck, feed.Stopped);
        while (made < 200) Assert.NotNull(await quick.NextAsync(TestContext.Current.CancellationToken));
        Assert.False(writing.IsCompleted);

        feed.Dispose();
        await writing;
        Assert.True(abort.WasCalled);
        Assert.True(pipe.Reader.TryRead(out var unread));
        Assert.InRange(unread.Buffer.Length, 1, 2 * Buffer);
        Assert.StartsWith("data: {\"time\":", Encoding.UTF8.GetString(unread.Buffer.FirstSpan), StringComparison.Ordinal);
    }

    // As fast as they are asked for: the pause is that of the thread pool.
    private static async IAsyncEnumerable<OverviewSample> SamplesAsync(Func<int> next, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            yield return new OverviewSample(Body(next()));
            await Task.Yield();
        }
    }

    private static OverviewBody Body(int number) => new()
    {
        Time = DateTimeOffset.UnixEpoch,
        UptimeSeconds = number,
        Version = "1",
        InferenceAddress = "http://127.0.0.1:8080",
        Health = "Healthy",
        IntervalSeconds = 1,
        RequestsPerSecond = 0,
        ErrorsPerSecond = 0,
        ClientErrorsPerSecond = 0,
        InFlight = 0,
        Queue = 0,
        Devices = [],
        Models = [],
    };

    private sealed class Abort : IHttpRequestLifetimeFeature
    {
        public bool WasCalled { get; private set; }

        public CancellationToken RequestAborted { get; set; }

        void IHttpRequestLifetimeFeature.Abort() => WasCalled = true;
    }
}
