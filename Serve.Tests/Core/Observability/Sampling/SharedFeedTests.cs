using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Serve.Core.Observability.Sampling;

namespace Serve.Tests.Core.Observability.Sampling;

public sealed class SharedFeedTests
{
    private readonly List<Channel<string>> _sources = [];
    private int _ended;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Samples_are_made_once_for_all_and_only_while_somebody_listens()
    {
        using var feed = new SharedFeed<string>(SourceAsync);
        Assert.Empty(_sources);

        using (var one = feed.Listen())
        using (var other = feed.Listen())
        {
            await PublishAsync("a");
            Assert.Equal(("a", "a"), (await one.NextAsync(Token), await other.NextAsync(Token)));
            Assert.Single(_sources);
            Assert.Equal(0, _ended);
        }

        await Eventually(() => _ended == 1);
        using var later = feed.Listen();
        await PublishAsync("b", source: 1);
        Assert.Equal("b", await later.NextAsync(Token));
    }

    [Fact]
    public async Task A_listener_that_asks_seldom_gets_the_newest_and_one_that_comes_late_the_last()
    {
        using var feed = new SharedFeed<string>(SourceAsync);
        using var slow = feed.Listen();
        using var quick = feed.Listen();
        foreach (var sample in (string[])["a", "b", "c"])
        {
            await PublishAsync(sample);
            Assert.Equal(sample, await quick.NextAsync(Token));
        }

        using var late = feed.Listen();
        Assert.Equal(("c", "c"), (await slow.NextAsync(Token), await late.NextAsync(Token)));
        Assert.False(slow.NextAsync(Token).IsCompleted);

        using var patient = feed.Listen(takesLast: false);
        var next = patient.NextAsync(Token);
        Assert.False(next.IsCompleted);
        await PublishAsync("d");
        Assert.Equal("d", await next);
    }

    [Fact]
    public async Task Listeners_learn_of_the_end()
    {
        var feed = new SharedFeed<string>(SourceAsync);
        using var listener = feed.Listen();
        var next = listener.NextAsync(Token);
        Assert.False(next.IsCompleted);

        feed.Dispose();

        Assert.Null(await next);
        using var late = feed.Listen();
        Assert.Null(await late.NextAsync(Token));
    }

    [Fact]
    public async Task Listeners_learn_why_samples_cannot_be_made_and_the_next_one_tries_again()
    {
        using var feed = new SharedFeed<string>(SourceAsync);
        using (var listener = feed.Listen())
        {
            await Eventually(() => _sources.Count == 1);
            _sources[0].Writer.Complete(new InvalidOperationException("broken"));
            Assert.Equal("broken", (await Assert.ThrowsAsync<InvalidOperationException>(async () => await listener.NextAsync(Token))).Message);
        }

        using var next = feed.Listen();
        await PublishAsync("a", source: 1);
        Assert.Equal("a", await next.NextAsync(Token));
    }

    [Fact]
    public async Task Nothing_stays_of_those_who_have_listened()
    {
        List<WeakReference> runs = [];
        using var feed = new SharedFeed<string>(token =>
        {
            runs.Add(new WeakReference(token.WaitHandle));
            return SourceAsync(token);
        });
        for (var i = 0; i < 3; i++)
        {
            using (feed.Listen()) await Eventually(() => _sources.Count == i + 1);
            await Eventually(() => _ended == i + 1);
        }

        _sources.Clear();
        GC.Collect();
        Assert.DoesNotContain(runs.SkipLast(1), static run => run.IsAlive);
    }

    private async IAsyncEnumerable<string> SourceAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var channel = Channel.CreateUnbounded<string>();
        lock (_sources) _sources.Add(channel);
        try
        {
            await foreach (var sample in channel.Reader.ReadAllAsync(cancellation)) yield return sample;
        }
        finally
        {
            Interlocked.Increment(ref _ended);
        }
    }

    private async Task PublishAsync(string sample, int source = 0)
    {
        await Eventually(() => _sources.Count > source);
        Assert.True(_sources[source].Writer.TryWrite(sample));
    }

    private Task Eventually(Func<bool> holds) => EndToEnd.Eventually.HoldsAsync("the feed has got there", () =>
    {
        lock (_sources) return holds();
    });
}
