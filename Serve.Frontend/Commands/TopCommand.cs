using System.CommandLine;
using Serve.Frontend.Commands.Top;
using Serve.Management.Overview;

namespace Serve.Frontend.Commands;

/// <summary><c>serve top</c>: what the server does, now and again.</summary>
internal static class TopCommand
{
    // Rates of less are of too little.
    private const double ShortestTold = 0.5;

    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var interval = DurationOption.Create("--interval", "The time between two drawings, at least 1s, which is the default; figures are of the last second");
        var once = new Option<bool>("--once") { Description = "Print the tables once and end; as always where the output is no terminal" };
        var sort = new Option<TopOrder>("--sort") { HelpName = "COLUMN", Description = "name, requests, p99, waiting or headroom; keys change it", DefaultValueFactory = _ => TopOrder.Name };
        var command = new DocumentedCommand("top", "Shows what a running server does: rates, latency, queues, batches, headroom, workers and devices.", """
            serve top
            serve top --sort p99 --interval 5s
            serve top --once
            serve top --json | jq -c '[.time, .requestsPerSecond, .p99Ms]'

            TIME: 50ms, 1.5s, 2m; a whole number without a unit is seconds.
            """) { interval, once, sort };
        connection.AddTo(command);
        command.SetAction(async (arguments, _) =>
        {
            using var interruption = new Interruption();
            using var client = connection.Connect(arguments);
            var invocation = arguments.InvocationConfiguration;
            var screen = new Screen(invocation.Output);
            var pause = arguments.GetValue(interval) ?? OverviewFeed.Interval;
            var isOnce = arguments.GetValue(once);
            if (connection.Json(arguments)) await StreamAsync(client, screen, invocation.Error, pause, isOnce, interruption.Token);
            else if (isOnce || !screen.IsTerminal) await PrintAsync(client, screen, arguments.GetValue(sort), interruption.Token);
            else await new TopLoop(client, screen.Ansi, pause, arguments.GetValue(sort)).RunAsync(interruption.Token);
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Whether an overview is to be shown: the one before was shown long enough ago, or the server's clock was set back. Events come a little early or late.</summary>
    /// <param name="overview">The overview.</param>
    /// <param name="shown">When the one before was made.</param>
    /// <param name="interval">The least time between two.</param>
    internal static bool IsDue(OverviewBody overview, DateTimeOffset shown, TimeSpan interval) => overview.Time < shown || overview.Time - shown >= interval - (OverviewFeed.Interval / 2);

    private static async Task PrintAsync(ServerClient client, Screen screen, TopOrder order, CancellationToken cancellation)
    {
        await foreach (var (overview, _) in Until(new OverviewReader(client, static _ => { }), cancellation))
        {
            if (overview.IntervalSeconds < ShortestTold) continue;
            screen.Ansi.Write(TopView.Draw(overview, order, screen.Ansi.Profile.Width));
            return;
        }
    }

    private static async Task StreamAsync(ServerClient client, Screen screen, TextWriter errors, TimeSpan interval, bool once, CancellationToken cancellation)
    {
        var shown = DateTimeOffset.MinValue;
        var reader = new OverviewReader(client, gone =>
        {
            if (gone is not null) errors.WriteLine(gone);
        });
        await foreach (var (overview, json) in Until(reader, cancellation))
        {
            if (overview.IntervalSeconds < ShortestTold || !IsDue(overview, shown, interval)) continue;
            shown = overview.Time;
            screen.Json(json);
            if (once) return;
        }
    }

    // A signal ends it as it should.
    private static async IAsyncEnumerable<(OverviewBody Overview, string Json)> Until(OverviewReader reader, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var overviews = reader.ReadAsync(cancellation).GetAsyncEnumerator(cancellation);
        await using (overviews)
        {
            while (true)
            {
                try
                {
                    if (!await overviews.MoveNextAsync()) yield break;
                }
                catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
                {
                    yield break;
                }

                yield return overviews.Current;
            }
        }
    }
}
