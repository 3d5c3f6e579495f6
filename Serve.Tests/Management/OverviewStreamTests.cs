using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration.Tokens;
using Serve.Core.Observability.Sampling;
using Serve.Core.Security;
using Serve.Management.Authorization;
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
        while (Unread() < Buffer) Assert.NotNull(await quick.NextAsync(TestContext.Current.CancellationToken));
        for (var enough = made + 200; made < enough;) Assert.NotNull(await quick.NextAsync(TestContext.Current.CancellationToken));
        Assert.False(writing.IsCompleted);

        feed.Dispose();
        await writing;
        Assert.True(abort.WasCalled);
        Assert.True(pipe.Reader.TryRead(out var unread));
        Assert.InRange(unread.Buffer.Length, 1, 2 * Buffer);
        Assert.StartsWith("data: {\"time\":", Encoding.UTF8.GetString(unread.Buffer.FirstSpan), StringComparison.Ordinal);

        long Unread()
        {
            if (!pipe.Reader.TryRead(out var seen)) return 0;
            pipe.Reader.AdvanceTo(seen.Buffer.Start, seen.Buffer.Start);
            return seen.Buffer.Length;
        }
    }

    [Fact]
    public async Task It_ends_with_the_token_that_opened_it()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 28, 12, 0, 0, TimeSpan.Zero));
        var (expiring, withdrawn) = (AccessToken.NewText(), AccessToken.NewText());
        var tokens = new TokenSet(time);
        tokens.Set("file", [AccessToken.Parse($"{expiring} expires=2026-11-28T13:00:00Z", out _)!, AccessToken.Parse(withdrawn, out _)!]);
        var guard = new TokenGuard(tokens) { Remembers = true };
        using var feed = new SharedFeed<OverviewSample>(token => SamplesAsync(() => 0, token));
        var (first, second) = (Open(expiring), Open(withdrawn));

        time.Advance(TimeSpan.FromHours(1) - TimeSpan.FromTicks(1));
        await EventAsync(first.Events);
        Assert.False(first.Writing.IsCompleted);
        time.Advance(TimeSpan.FromTicks(1));
        await first.Writing.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        await EventAsync(second.Events);
        Assert.False(second.Writing.IsCompleted);
        tokens.Set("file", []);
        await second.Writing.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.False(first.Abort.WasCalled || second.Abort.WasCalled);

        (Task Writing, PipeReader Events, Abort Abort) Open(string token)
        {
            var (pipe, abort, context) = (new Pipe(new PipeOptions(pauseWriterThreshold: 0)), new Abort(), new DefaultHttpContext());
            context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(pipe.Writer.AsStream()));
            context.Features.Set<IHttpRequestLifetimeFeature>(abort);
            context.Request.Headers.Authorization = $"Bearer {token}";
            Assert.True(guard.Allows(context));
            return (WriteAsync(context), pipe.Reader, abort);
        }

        async Task WriteAsync(HttpContext context)
        {
            using var listener = feed.Listen();
            await OverviewStream.WriteAsync(context, new OverviewSample(Body(0)), listener, feed.Stopped);
        }

        // One that was written after this was called, as those before it are read with it.
        static async Task EventAsync(PipeReader events)
        {
            while (events.TryRead(out var before)) events.AdvanceTo(before.Buffer.End);
            var next = await events.ReadAsync(TestContext.Current.CancellationToken);
            events.AdvanceTo(next.Buffer.End);
        }
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
