using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

/// <summary>The scheduler of a version that no other test has, with a worker whose part the test plays.</summary>
internal sealed class TestScheduler : IDisposable
{
    private readonly List<Completion> _completions = [];

    /// <param name="batchSize">The version's.</param>
    /// <param name="instances">Likewise.</param>
    /// <param name="time">The clock; null: one of its own.</param>
    public TestScheduler(int batchSize = 1, int instances = 1, FakeTimeProvider? time = null)
    {
        Time = time ?? new FakeTimeProvider();
        Metrics = new ModelMetrics(Model, "1.0");
        var configuration = new ModelConfiguration { Handler = "test", BatchSize = batchSize, Instances = instances, ResponseTimeout = TimeSpan.FromSeconds(10) };
        Tested = new InferenceScheduler("model", configuration, completeInline: true, Time, Metrics, NullLogger.Instance);
    }

    public string Model { get; } = $"m{Guid.NewGuid():N}";

    public FakeTimeProvider Time { get; }

    public ModelMetrics Metrics { get; }

    /// <summary>What is tested.</summary>
    public InferenceScheduler Tested { get; }

    /// <summary>A worker; it is not the scheduler's before it is added.</summary>
    public TestWorker Worker { get; } = new();

    public void AddWorker(int credit, IReadOnlyList<WarmUpTime>? warmUp = null) => Tested.AddWorker(Worker, credit, warmUp);

    /// <summary>A request, to be answered within so many seconds.</summary>
    public Task<InferenceResponse> Submit(int seconds = 10, bool isClients = true, string body = "x", CancellationToken clientGone = default)
    {
        var payload = RequestPayload.Rent(body.Length);
        Encoding.ASCII.GetBytes(body, payload.GetSpan(body.Length));
        payload.Advance(body.Length);
        return Submit(payload, seconds, isClients, clientGone);
    }

    public Task<InferenceResponse> Submit(RequestPayload payload, int seconds = 10, bool isClients = true, CancellationToken clientGone = default) =>
        Tested.Submit(payload, lane: 0, TimeSpan.FromSeconds(seconds), isClients, clientGone).AsTask();

    /// <summary>The worker says something.</summary>
    /// <param name="chunk">What.</param>
    /// <param name="ids">Of the requests that events speak of which speak of several.</param>
    /// <returns>As <see cref="InferenceScheduler.Apply"/>.</returns>
    public bool Say(List<LinkEvent> chunk, params List<ulong> ids) => Tested.Apply(Worker, chunk, ids, _completions);

    /// <summary>The worker begins a batch of these.</summary>
    public void SayBegun(params List<ulong> ids) => Say([new LinkEvent(FrameType.Begun, 1, ids.Count, false, null, null)], ids);

    public void Dispose()
    {
        Tested.Dispose();
        Worker.Dispose();
        Metrics.Dispose();
    }
}
