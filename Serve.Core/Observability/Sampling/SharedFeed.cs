namespace Serve.Core.Observability.Sampling;

/// <summary>
/// One stream of samples for any number of listeners. It is made only while somebody listens, once for all of them; a
/// listener gets the newest sample whenever it asks, so that one that asks seldom misses samples and holds none.
/// </summary>
/// <typeparam name="T">A sample; immutable.</typeparam>
/// <param name="source">Makes samples until it is cancelled, in its own time.</param>
public sealed class SharedFeed<T>(Func<CancellationToken, IAsyncEnumerable<T>> source) : IDisposable
    where T : class
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private Run? _run;

    /// <summary>Cancelled when the feed has ended for good.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>Listens from now on, until the listener is disposed.</summary>
    /// <param name="takesLast">Whether the last sample that was made for others does for a beginning; else the next one.</param>
    public Listener Listen(bool takesLast = true)
    {
        lock (_gate)
        {
            if (_run is null or { IsOver: true })
            {
                _run = new Run();
                if (_stop.IsCancellationRequested) _run.Cancel();
                _run.Start(source);
            }

            _run.Listeners++;
            return new Listener(this, _run, takesLast ? 0 : _run.Newest.Number);
        }
    }

    /// <summary>Ends it: listeners get null from now on.</summary>
    public void Dispose()
    {
        // Not disposed: listeners may still look at the token.
        _stop.Cancel();
        lock (_gate) _run?.Cancel();
    }

    private void Leave(Run run)
    {
        lock (_gate)
        {
            if (--run.Listeners > 0) return;
            if (_run == run) _run = null;
        }

        run.Cancel();
    }

    /// <summary>One who listens. Not for several threads at once.</summary>
    public sealed class Listener : IDisposable
    {
        private readonly SharedFeed<T> _feed;
        private readonly Run _run;
        private long _seen;
        private bool _hasLeft;

        internal Listener(SharedFeed<T> feed, Run run, long seen) => (_feed, _run, _seen) = (feed, run, seen);

        /// <summary>The newest sample that this listener has not had; waits for one if it has had it.</summary>
        /// <param name="cancellation">Ends the waiting.</param>
        /// <returns>Null when the feed has ended.</returns>
        public async Task<T?> NextAsync(CancellationToken cancellation)
        {
            while (true)
            {
                var (sample, number, next) = _run.Newest;
                if (number > _seen)
                {
                    _seen = number;
                    return sample;
                }

                if (!await next.WaitAsync(cancellation).ConfigureAwait(false)) return null;
            }
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            if (_hasLeft) return;
            _hasLeft = true;
            _feed.Leave(_run);
        }
    }

    // One enumeration of the source, from the first listener until the last has left.
    internal sealed class Run
    {
        // Of its own and not linked to the feed's, which lives as long as the server and would hold each run that there was.
        private readonly CancellationTokenSource _cancel = new();
        private readonly Lock _gate = new();
        private TaskCompletionSource<bool> _next = New();
        private T? _sample;
        private long _number;

        /// <summary>The feed's to change, under its lock.</summary>
        public int Listeners { get; set; }

        public bool IsOver { get; private set; }

        /// <summary>The newest sample, its number from 1, and what tells of the next: true, or false at the end.</summary>
        public (T? Sample, long Number, Task<bool> Next) Newest
        {
            get
            {
                lock (_gate) return (_sample, _number, _next.Task);
            }
        }

        public void Start(Func<CancellationToken, IAsyncEnumerable<T>> source) => _ = Task.Run(() => RunAsync(source));

        public void Cancel() => _cancel.Cancel();

        private async Task RunAsync(Func<CancellationToken, IAsyncEnumerable<T>> source)
        {
            Exception? failure = null;
            try
            {
                await foreach (var sample in source(_cancel.Token).ConfigureAwait(false)) Publish(sample);
            }
            catch (OperationCanceledException) when (_cancel.IsCancellationRequested)
            {
                // Nobody listens any more, or the server stops.
            }
            catch (Exception e)
            {
                failure = e; // whoever listens is told
            }

            lock (_gate)
            {
                IsOver = true;
                if (failure is null) _next.TrySetResult(false);
                else _next.TrySetException(failure);
            }
        }

        private void Publish(T sample)
        {
            TaskCompletionSource<bool> told;
            lock (_gate)
            {
                (_sample, _number) = (sample, _number + 1);
                (told, _next) = (_next, New());
            }

            told.TrySetResult(true);
        }

        private static TaskCompletionSource<bool> New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
