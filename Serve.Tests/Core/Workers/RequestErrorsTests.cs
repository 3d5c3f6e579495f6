using Serve.Core.Configuration;
using Serve.Core.Scheduling;
using Serve.Core.Workers;
using Serve.Tests.Core.Scheduling;

namespace Serve.Tests.Core.Workers;

/// <summary>What a client is told when its request is refused or fails: which limit it met, and whose that is.</summary>
public sealed class RequestErrorsTests
{
    private readonly RequestErrors _errors = new("model \"m\", version 1.0", new ModelConfiguration
    {
        Handler = "test",
        ResponseTimeout = TimeSpan.FromSeconds(1.5),
        LatencyTarget = TimeSpan.FromMilliseconds(200),
    });

    [Theory]
    [InlineData(1500, "1.5 s (responseTimeout)")]
    [InlineData(1499.5, "1.5 s (responseTimeout)")]
    [InlineData(200, "200 ms, the model's latencyTarget")]
    [InlineData(200.4, "200 ms, the model's latencyTarget")]
    [InlineData(300, "300 ms, the request's deadline")]
    public void A_request_that_is_late_is_told_whose_limit_that_was(double milliseconds, string limit)
    {
        var error = _errors.Expired(TimeSpan.FromMilliseconds(milliseconds));
        Assert.Equal(504, error.Status);
        Assert.Equal($"No answer of model \"m\", version 1.0 within {limit}.", error.Message);
    }

    [Fact]
    public void One_that_would_be_late_is_told_by_how_much_and_when_to_try_again()
    {
        var error = _errors.TooLate(TimeSpan.FromMilliseconds(950), TimeSpan.FromMilliseconds(200));
        Assert.Equal(503, error.Status);
        Assert.Contains("would take 950 ms now, longer than 200 ms, the model's latencyTarget", error.Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromMilliseconds(750), error.RetryAfter);
    }

    [Fact]
    public void One_that_finds_the_queue_full_is_told_how_many_wait() =>
        Assert.Contains("7 requests wait (maxQueueSize)", _errors.QueueFull(7).Message, StringComparison.Ordinal);

    [Fact]
    public void One_that_went_down_with_its_worker_is_told_what_is_to_blame()
    {
        var killer = new TestRequest { SoloDeaths = 3 };
        Assert.Equal((504, "No answer within 1.5 s (responseTimeout); the worker was replaced."), Told(killer, WorkerLossReason.TimedOut));
        Assert.Equal((500, "Worker died. This request, run alone, ended 3 workers of model \"m\", version 1.0; the last: killed by SIGKILL. It is not tried again."), Told(killer, WorkerLossReason.Crashed));
        Assert.Equal((500, "Worker died. killed by SIGKILL, in the middle of the answer."), Told(new TestRequest { AnswerStarted = true }, WorkerLossReason.Crashed));

        (int, string) Told(ScheduledRequest request, WorkerLossReason reason)
        {
            var error = _errors.Lost(request, reason, "killed by SIGKILL");
            return (error.Status, error.Message);
        }
    }
}
