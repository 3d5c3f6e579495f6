using System.Globalization;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// The server is killed at random moments while clients change models: every change that was acknowledged is there after
/// the restart. <c>TEST_KILLS</c> says how often, <c>TEST_SEED</c> repeats a run.
/// </summary>
public sealed class SnapshotKillTests(ITestOutputHelper output)
{
    private const int Clients = 4;

    private static readonly string[] VersionNames = ["1.0", "2.0", "10.0"];

    [Fact]
    public async Task Every_acknowledged_change_survives_a_kill_at_any_moment()
    {
        var kills = Setting("TEST_KILLS") ?? 3;
        var seed = Setting("TEST_SEED") ?? Random.Shared.Next();
        output.WriteLine($"TEST_SEED={seed}");
        var random = new Random(seed);
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--load-models", "model-0"] }, output);
        for (var client = 0; client < Clients; client++)
        {
            foreach (var version in VersionNames) SnapshotTests.Write(server.ModelStore, $"model-{client}", version);
        }

        await server.KillAndRestartAsync();
        var models = Enumerable.Range(0, Clients).Select(client => new ChangedModel($"model-{client}", random.Next())).ToList();
        foreach (var version in VersionNames) models[0].Versions[version] = 1;
        models[0].Default = "10.0";
        await SnapshotTests.AllAsync(server, "model-0", models[0].ToString());

        var acknowledged = 0;
        for (var kill = 0; kill < kills; kill++)
        {
            // The moment is an acknowledgement, or somewhere within the next change.
            var moment = acknowledged + random.Next(1, 60);
            var isDead = new TaskCompletionSource();
            var changes = models.Select(model => model.ChangeAsync(server, isDead.Task, () =>
            {
                if (Interlocked.Increment(ref acknowledged) == moment) isDead.TrySetResult();
            })).ToList();
            await isDead.Task;
            Thread.SpinWait(random.Next(200_000));
            Signals.Kill(server.Pid);
            await Task.WhenAll(changes);
            await server.WaitForExitAsync();
            await server.RestartAsync();
            foreach (var model in models) await model.CheckAsync(server);
        }

        output.WriteLine($"{acknowledged} changes were acknowledged, {kills} servers killed");
    }

    private static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;

    /// <summary>What a client knows of its model.</summary>
    private sealed class ChangedModel(string name, int seed)
    {
        private readonly Random _random = new(seed);

        /// <summary>What the model would be if the change that was not acknowledged was made.</summary>
        private string? _orElse;

        /// <summary>The most workers of each version.</summary>
        public SortedDictionary<string, int> Versions { get; private set; } = new(Serve.Core.Models.VersionOrder.Instance);

        public string? Default { get; set; }

        public override string ToString() => string.Join(", ", Versions.Select(version => $"{version.Key}{(version.Key == Default ? "*" : "")} 0-{version.Value}"));

        /// <summary>Changes the model until the server is dead.</summary>
        public async Task ChangeAsync(ServerFixture server, Task dead, Action acknowledged)
        {
            while (!dead.IsCompleted)
            {
                var (method, path, versions, chosen) = Next();
                var (before, beforeDefault) = (Versions, Default);
                (Versions, Default) = (versions, chosen);
                _orElse = ToString();
                (Versions, Default) = (before, beforeDefault);
                Answer answer;
                try
                {
                    answer = await server.ManageAsync(method, path);
                }
                catch (HttpRequestException)
                {
                    return;
                }

                Assert.True((int)answer.Status is 200 or 202, $"{method} {path}: {answer.Text}");
                (Versions, Default, _orElse) = (versions, chosen, null);
                acknowledged();
            }
        }

        /// <summary>Waits until the restarted server has what was acknowledged, with or without the change that was not.</summary>
        public async Task CheckAsync(ServerFixture server)
        {
            var without = ToString();
            var found = await Eventually.BecomesAsync($"{name} is [{without}]{(_orElse is null ? "" : $" or [{_orElse}]")}", () => SnapshotTests.VersionsAsync(server, name), all => all == without || all == _orElse);
            Versions.Clear();
            Default = null;
            foreach (var version in found.Split(", ", StringSplitOptions.RemoveEmptyEntries))
            {
                var versionName = version.Split(' ')[0].TrimEnd('*');
                Versions[versionName] = int.Parse(version.Split('-')[1], CultureInfo.InvariantCulture);
                if (version.Contains('*', StringComparison.Ordinal)) Default = versionName;
            }

            _orElse = null;
        }

        /// <summary>A random change, and what the model is after it.</summary>
        private (HttpMethod Method, string Path, SortedDictionary<string, int> Versions, string? Default) Next()
        {
            var versions = new SortedDictionary<string, int>(Versions, Serve.Core.Models.VersionOrder.Instance);
            var version = VersionNames[_random.Next(VersionNames.Length)];
            if (!Versions.ContainsKey(version))
            {
                versions[version] = 1;
                return (HttpMethod.Post, $"/models?url={name}/{version}&initial_workers=0", versions, Default ?? version);
            }

            switch (_random.Next(4))
            {
                case 0 when version != Default || Versions.Count == 1:
                    versions.Remove(version);
                    return (HttpMethod.Delete, $"/models/{name}/{version}", versions, versions.Count == 0 ? null : Default);
                case 1:
                    return (HttpMethod.Put, $"/models/{name}/{version}/set-default", versions, version);
                default:
                    versions[version] = _random.Next(1, 50);
                    return (HttpMethod.Put, $"/models/{name}/{version}?min_worker=0&max_worker={versions[version]}", versions, Default);
            }
        }
    }
}
