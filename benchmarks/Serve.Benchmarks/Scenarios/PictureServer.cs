using Serve.Benchmarks.Load;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Scenarios;

/// <summary>The built server with one created Vision Transformer, and clients that send it pictures.</summary>
internal sealed class PictureServer : IDisposable
{
    private const string ContentType = "image/jpeg";

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    // The first answers come after a batch was decoded and executed, and the last batch is under way when time is up. Of a
    // server at saturation, which is what is measured, neither is true: it had work before, as the loops beside it have.
    private static readonly TimeSpan LeadIn = TimeSpan.FromSeconds(1);

    private readonly string _model;
    private readonly TemporaryStore _store;
    private readonly ServeProcess _serve;
    private readonly LoadClients _clients;

    /// <summary>Starts it and waits until its clients have been answered for a while.</summary>
    /// <param name="repository">Where the server is.</param>
    /// <param name="settings">Its scheduling.</param>
    /// <param name="store">The store with the model; the caller's.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="configuration">Its <c>model-config.yaml</c>.</param>
    /// <param name="pictures">What the clients send in turn.</param>
    /// <param name="clients">How many there are.</param>
    public PictureServer(Repository repository, BenchmarkSettings settings, TemporaryStore store, string model, string configuration, IReadOnlyList<byte[]> pictures, int clients)
    {
        (_store, _model) = (store, model);
        store.Configure(model, configuration);
        _serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        try
        {
            var path = $"/predictions/{model}";
            _serve.WaitForAnswer(path, ContentType, [.. pictures[0]]);
            _clients = LoadClients.InClosedLoop(_serve.Inference, clients, path, ContentType, pictures);
            Run(WarmUp);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string ModelFile => _store.ModelFile(_model);

    public ServeProcess Process => _serve;

    public IReadOnlyList<int> WorkerPids => _serve.WorkerPids(_model);

    /// <summary>Good answers per second at saturation.</summary>
    public double Run(TimeSpan duration)
    {
        var result = _clients.Run(LeadIn, duration);
        if (result.Errors > 0) throw new BenchmarkException($"{result.Errors} of {result.Answers} answers of {_model} were errors.");
        return result.PerSecond;
    }

    /// <summary>The sum of a series over the workers.</summary>
    public double WorkerMetric(string family, string labels = "") => _serve.SumOfMetrics(family, $"model=\"{_model}\"", labels);

    public void Dispose()
    {
        _clients?.Dispose();
        _serve.Dispose();
    }
}
