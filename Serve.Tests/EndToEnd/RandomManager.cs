using System.Net;
using System.Text.Json;
using Serve.Core.Models;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// A client that registers, scales, describes, switches and unregisters models of its own at random, right and wrong, and
/// knows what the server must answer to each call: a model of the server's state for as much of it as is this client's.
/// </summary>
internal sealed class RandomManager
{
    private static readonly string[] VersionNames = ["1.0", "2.0", "10.0"];

    // So seldom, because each is a process.
    private const int CallsForWorker = 40;

    private readonly ServerFixture _server;
    private readonly Random _random;
    private readonly Dictionary<string, Known> _models;

    public RandomManager(ServerFixture server, int number, int seed)
    {
        _server = server;
        _random = new Random(HashCode.Combine(seed, number));
        _models = Enumerable.Range(0, 2).Select(model => $"random-{number}-{model}").ToDictionary(name => name, _ => new Known());
        foreach (var name in _models.Keys)
        {
            foreach (var version in VersionNames) HandlerModels.Write(server.ModelStore, name, "EchoHandler", version: version);
        }
    }

    /// <summary>What was called and answered: "scale 200".</summary>
    public List<string> Outcomes { get; } = [];

    /// <summary>One call, whose answer must be the right one.</summary>
    public async Task CallAsync()
    {
        var name = _models.Keys.ElementAt(_random.Next(_models.Count));
        var known = _models[name];
        var version = VersionNames[_random.Next(VersionNames.Length)];
        var isThere = known.Versions.ContainsKey(version);
        var workers = _random.Next(CallsForWorker) == 0 ? 1 : 0;
        switch (_random.Next(10))
        {
            case 0 or 1 or 2:
                if (await SendAsync("register", HttpMethod.Post, $"/models?url={name}/{version}&initial_workers={workers}&synchronous=true", isThere ? 409 : 200)) known.Add(version, workers);
                break;
            case 3:
                var isRefused = version == known.Default && known.Versions.Count > 1;
                if (await SendAsync("unregister", HttpMethod.Delete, $"/models/{name}/{version}", !isThere ? 404 : isRefused ? 403 : 200)) known.Remove(version);
                break;
            case 4:
                if (await SendAsync("set-default", HttpMethod.Put, $"/models/{name}/{version}/set-default", isThere ? 200 : 404)) known.Default = version;
                break;
            case 5 or 6:
                if (await SendAsync("scale", HttpMethod.Put, $"/models/{name}/{version}?min_worker={workers}&synchronous=true", isThere ? 200 : 404)) known.Versions[version] = workers;
                break;
            case 7:
                await CheckAsync(name, known);
                break;
            case 8:
                await PredictAsync(name, version, !isThere ? 404 : known.Versions[version] > 0 ? 200 : 503);
                break;
            default:
                await SendWrongAsync(name, version, isThere);
                break;
        }
    }

    /// <summary>That the server describes and lists this client's models as they must be.</summary>
    public async Task CheckAsync()
    {
        foreach (var (name, known) in _models) await CheckAsync(name, known);
        var listed = (await _server.ManageAsync(HttpMethod.Get, "/models?limit=100")).Json.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("modelName").GetString());
        Assert.Equal(_models.Where(model => model.Value.Versions.Count > 0).Select(model => model.Key).Order(), listed.Where(name => _models.ContainsKey(name!)).Order());
    }

    /// <summary>Unregisters all that it has registered.</summary>
    public async Task RemoveAllAsync()
    {
        foreach (var (name, known) in _models)
        {
            foreach (var version in known.Versions.Keys.OrderBy(version => version == known.Default)) await SendAsync("unregister", HttpMethod.Delete, $"/models/{name}/{version}", 200);
        }
    }

    private async Task CheckAsync(string name, Known known)
    {
        var answer = await _server.ManageAsync(HttpMethod.Get, $"/models/{name}/all");
        Count("describe", answer);
        if (known.Versions.Count == 0)
        {
            Assert.True(answer.Status == HttpStatusCode.NotFound, answer.Text);
            return;
        }

        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal(known.ToString(), string.Join(", ", answer.Json.EnumerateArray().Select(Text)));
    }

    private static string Text(JsonElement version) =>
        Known.Text(version.GetProperty("modelVersion").GetString()!, version.GetProperty("defaultVersion").GetBoolean(), version.GetProperty("minWorkers").GetInt32(), version.GetProperty("workers").EnumerateArray().Count(worker => worker.GetProperty("status").GetString() == "READY"));

    private async Task PredictAsync(string name, string version, int status)
    {
        var body = new byte[100];
        _random.NextBytes(body);
        var answer = await _server.PredictAsync(name, body, version);
        Count("predict", answer);
        Assert.True((int)answer.Status == status, $"{name}/{version}: {status} is right, not {(int)answer.Status} {answer.Text}");
        if (status == 200) Assert.Equal(body, answer.Body);
    }

    private Task<bool> SendWrongAsync(string name, string version, bool isThere) => _random.Next(5) switch
    {
        0 => SendAsync("wrong", HttpMethod.Post, "/models?url=../outside", 404),
        1 => SendAsync("wrong", HttpMethod.Post, "/models", 400),
        2 => SendAsync("wrong", HttpMethod.Put, $"/models/{name}/{version}?min_worker=-1", 400),
        3 => SendAsync("wrong", HttpMethod.Put, $"/models/{name}/{version}?min_worker=3&max_worker=2", isThere ? 400 : 404, 400),
        _ => SendAsync("wrong", HttpMethod.Delete, $"/models/nobody-{name}", 404),
    };

    /// <returns>Whether the call changed something.</returns>
    private async Task<bool> SendAsync(string call, HttpMethod method, string path, params int[] right)
    {
        var answer = await _server.ManageAsync(method, path);
        Count(call, answer);
        Assert.True(right.Contains((int)answer.Status), $"{method} {path}: {string.Join(" or ", right)} is right, not {(int)answer.Status} {answer.Text}");
        return answer.Status == HttpStatusCode.OK;
    }

    private void Count(string call, Answer answer) => Outcomes.Add($"{call} {(int)answer.Status}");

    /// <summary>What is known of a model: its versions with their workers, and which is the default.</summary>
    private sealed class Known
    {
        public SortedDictionary<string, int> Versions { get; } = new(VersionOrder.Instance);

        public string? Default { get; set; }

        public static string Text(string version, bool isDefault, int workers, int ready) => $"{version}{(isDefault ? "*" : "")} {workers} workers, {ready} ready";

        public void Add(string version, int workers)
        {
            Versions[version] = workers;
            Default ??= version;
        }

        public void Remove(string version)
        {
            Versions.Remove(version);
            if (Versions.Count == 0) Default = null;
        }

        public override string ToString() => string.Join(", ", Versions.Select(version => Text(version.Key, version.Key == Default, version.Value, version.Value)));
    }
}
