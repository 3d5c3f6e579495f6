using Serve.Core.Models;
using Serve.Core.Observability;

namespace Serve.Tests.Core.Models;

public sealed class VersionStateTests
{
    [Theory]
    [InlineData(false, 0, 0, false, false, ModelState.Idle)]
    [InlineData(false, 0, 0, true, true, ModelState.Idle)] // scaled to none: nothing has to be tried
    [InlineData(false, 2, 0, false, false, ModelState.Loading)]
    [InlineData(false, 2, 1, false, false, ModelState.Ready)]
    [InlineData(false, 2, 1, true, true, ModelState.Ready)] // one that serves serves, whatever became of the others
    [InlineData(false, 2, 0, false, true, ModelState.Recovering)]
    [InlineData(false, 2, 0, true, true, ModelState.Failed)]
    [InlineData(true, 2, 2, false, true, ModelState.Draining)]
    public void A_versions_state_follows_from_its_workers(bool isDraining, int places, int ready, bool hasFailed, bool wasReady, ModelState state) =>
        Assert.Equal(state, VersionState.Of(isDraining, places, ready, hasFailed, wasReady));

    [Theory]
    [InlineData(0, 0, false, true)]
    [InlineData(0, 1, false, false)] // a worker of a place that was taken away a moment ago
    [InlineData(2, 0, true, true)]
    [InlineData(2, 1, true, false)]
    [InlineData(2, 0, false, false)] // they start, or are replaced
    public void Nobody_is_waited_for_where_no_worker_is_or_comes(int places, int ready, bool hasFailed, bool isServedByNobody) =>
        Assert.Equal(isServedByNobody, VersionState.IsServedByNobody(places, ready, hasFailed));

    [Theory]
    [InlineData(ModelState.Loading, RejectReason.NoWorker, 1, "is loading")]
    [InlineData(ModelState.Failed, RejectReason.Failed, 30, "has failed: no such file. Scale")]
    [InlineData(ModelState.Draining, RejectReason.Draining, 5, "is being unregistered, or the server stops")]
    [InlineData(ModelState.Idle, RejectReason.NoWorker, 10, "Model \"m\" has no worker to serve inference request. Please use scale workers API to add workers.")]
    public void Who_is_refused_learns_why_and_when_to_try_again(ModelState state, RejectReason reason, int seconds, string words)
    {
        var (told, error) = VersionState.Refusal(state, "m", "1.0", "no such file");
        Assert.Equal((reason, 503, TimeSpan.FromSeconds(seconds)), (told, error.Status, error.RetryAfter));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }
}
