using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// Management under load, at random. <c>TEST_CALLS</c> says how many management calls, <c>TEST_SWITCHES</c> how many changes
/// of the default version, <c>TEST_SWITCH_MS</c> how many milliseconds apart; <c>TEST_SEED</c> repeats a run's choices.
/// </summary>
public sealed class ManagementStressTests(ITestOutputHelper output)
{
    private const int Managers = 8;
    private const int Predictors = 16;

    [Fact]
    public async Task Random_management_calls_leave_what_a_model_of_the_server_says_and_fail_no_prediction()
    {
        var calls = Setting("TEST_CALLS") ?? 600;
        var seed = Setting("TEST_SEED") ?? Random.Shared.Next();
        output.WriteLine($"TEST_SEED={seed}");
        await using var server = await HandlerServer.StartAsync(null);
        await server.ServeAsync("stays", "EchoHandler", "maxQueueSize: 1000");
        var managers = Enumerable.Range(0, Managers).Select(manager => new RandomManager(server, manager, seed)).ToList();
        await using var clients = new EchoClients(server, "stays", Predictors);
        await clients.AnswerAsync(Predictors);

        var left = calls;
        await Task.WhenAll(managers.Select(async manager =>
        {
            while (Interlocked.Decrement(ref left) >= 0) await manager.CallAsync();
        }));
        foreach (var manager in managers) await manager.CheckAsync();
        foreach (var manager in managers) await manager.RemoveAllAsync();

        await clients.AnswerAsync(Predictors);
        var answered = await clients.StopAsync();
        var list = await server.ManageAsync(HttpMethod.Get, "/models?limit=100");
        Assert.Equal("stays", Assert.Single(list.Json.GetProperty("models").EnumerateArray()).GetProperty("modelName").GetString());
        if (OperatingSystem.IsLinux()) await Eventually.HoldsAsync("only the worker of the model that stays is left", () => Processes.ChildrenOf(server.Pid).Count == 1);
        var outcomes = managers.SelectMany(manager => manager.Outcomes).GroupBy(outcome => outcome).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => $"{group.Key} {group.Count()}");
        output.WriteLine($"{calls} calls ({string.Join(", ", outcomes)}), {answered} predictions");

        Assert.Equal(0, await server.StopAsync());
        Assert.DoesNotContain(Directory.GetFiles(server.RuntimeFolder, "*", SearchOption.AllDirectories), file => !file.EndsWith(".lock", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Switching_the_default_version_fails_no_request()
    {
        await using var server = await HandlerServer.StartAsync(output);
        await server.ServeAsync("switched", "EchoHandler", "maxQueueSize: 1000", version: "1.0");
        await server.ServeAsync("switched", "NoOpHandler", "maxQueueSize: 1000", version: "2.0");
        var answers = new ConcurrentDictionary<string, int>();
        using var stop = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 32).Select(client => Task.Run(async () =>
        {
            var body = Encoding.ASCII.GetBytes($"client {client}");
            while (!stop.IsCancellationRequested)
            {
                var answer = await server.PredictAsync("switched", body);
                var version = (answer.Status, answer.Text) switch
                {
                    (HttpStatusCode.OK, var text) when text == $"client {client}" => "1.0",
                    (HttpStatusCode.OK, var text) when text.Contains("noop", StringComparison.Ordinal) => "2.0",
                    _ => $"{(int)answer.Status} {answer.Text}",
                };
                answers.AddOrUpdate(version, 1, static (_, count) => count + 1);
            }
        })).ToList();

        // Without a pause each change waits until some requests were answered, so that they are spread over the load.
        var (changes, started) = (Setting("TEST_SWITCHES") ?? 60, Stopwatch.GetTimestamp());
        using var pause = Setting("TEST_SWITCH_MS") is { } milliseconds ? new PeriodicTimer(TimeSpan.FromMilliseconds(milliseconds)) : null;
        for (var change = 0; change < changes; change++)
        {
            var answered = answers.Values.Sum();
            if (pause is null) await Eventually.HoldsAsync("more requests are answered", () => answers.Values.Sum() > answered + 16);
            else await pause.WaitForNextTickAsync();
            var answer = await server.ManageAsync(HttpMethod.Put, $"/models/switched/{(change % 2 == 0 ? "2.0" : "1.0")}/set-default");
            Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        }

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        await stop.CancelAsync();
        await Task.WhenAll(clients);
        output.WriteLine($"{changes} changes in {seconds:0.0} s; " + string.Join(", ", answers.Select(answer => $"{answer.Key}: {answer.Value}")));
        Assert.Equal(["1.0", "2.0"], answers.Keys.Order());
    }

    private static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
