using Serve.Core.Protocol;
using Serve.Frontend.Inference;

namespace Serve.Tests.Frontend.Inference;

public sealed class ServerTimingTests
{
    [Fact]
    public void Stages_are_named_as_in_the_metrics_in_milliseconds()
    {
        var times = new RequestTimes(TimeSpan.FromMicroseconds(50));
        times.Answered(TimeSpan.FromMicroseconds(120), TimeSpan.FromMilliseconds(0.25), new OutputTimes(4, 10, 1500, 0, 3200, 7));

        Assert.Equal(
            "read;dur=0.05, queue;dur=0.12, transfer;dur=0.25, decode_wait;dur=0.01, decode;dur=1.5, assemble;dur=0, execute;dur=3.2, encode;dur=0.007, total;dur=6.5, batch;desc=\"4\"",
            ServerTiming.Text(times, TimeSpan.FromMilliseconds(6.5)));
    }
}
