using Serve.Management.Overview;
using Spectre.Console;

namespace Serve.Frontend.Commands.Top;

/// <summary>Draws a server's overviews on a terminal until somebody presses q.</summary>
/// <param name="client">The server.</param>
/// <param name="console">The terminal.</param>
/// <param name="interval">The least time between two drawings.</param>
/// <param name="order">The order at first.</param>
internal sealed class TopLoop(ServerClient client, IAnsiConsole console, TimeSpan interval, TopOrder order)
{
    private const string Keys = "q leave   sort by: n name  r requests  p p99  w waiting  h headroom";

    private static readonly TimeSpan KeyInterval = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _changed = new(0);
    private TopOrder _order = order;
    private OverviewBody? _overview;
    private string? _gone;

    /// <summary>Runs until it is cancelled or told to end.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var reading = ReadAsync(ends);
        var keys = WatchKeysAsync(ends);
        try
        {
            await console.Live(new Text($"Asking {client.ManagementAddress} …")).AutoClear(false).StartAsync(async live =>
            {
                while (true)
                {
                    await _changed.WaitAsync(ends.Token);
                    Draw(live);
                }
            });
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // The key, a signal, or what reading has to tell.
        }

        await keys;
        await reading;
    }

    private void Draw(LiveDisplayContext live)
    {
        lock (_gate)
        {
            if (_overview is null) return;
            live.UpdateTarget(TopView.Draw(_overview, _order, console.Profile.Width, _gone is null ? Keys : $"{_gone} Trying again; q leaves."));
        }
    }

    private async Task ReadAsync(CancellationTokenSource ends)
    {
        var drawn = DateTimeOffset.MinValue;
        try
        {
            var reader = new OverviewReader(client, gone => Change(() => _gone = gone));
            await foreach (var (overview, _) in reader.ReadAsync(ends.Token))
            {
                if (!TopCommand.IsDue(overview, drawn, interval)) continue;
                drawn = overview.Time;
                Change(() => _overview = overview);
            }
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // It is over.
        }
        finally
        {
            await ends.CancelAsync();
        }
    }

    private async Task WatchKeysAsync(CancellationTokenSource ends)
    {
        if (Console.IsInputRedirected) return;
        while (!ends.IsCancellationRequested)
        {
            while (Console.KeyAvailable)
            {
                var key = char.ToLowerInvariant(Console.ReadKey(intercept: true).KeyChar);
                if (key is 'q' or '\u001b') await ends.CancelAsync();
                else if (OrderOf(key) is { } chosen) Change(() => _order = chosen);
            }

            await Task.Delay(KeyInterval, ends.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Change(Action change)
    {
        lock (_gate) change();
        _changed.Release();
    }

    private static TopOrder? OrderOf(char key) => key switch
    {
        'n' => TopOrder.Name,
        'r' => TopOrder.Requests,
        'p' => TopOrder.P99,
        'w' => TopOrder.Waiting,
        'h' => TopOrder.Headroom,
        _ => null,
    };
}
