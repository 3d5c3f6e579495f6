using System.Diagnostics;
using OpenTelemetry.Trace;
using Serve.Frontend.Tracing;

namespace Serve.Tests.Frontend.Tracing;

/// <summary>Which requests are traced.</summary>
public sealed class RequestSamplerTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Span = "00f067aa0ba902b7";

    [Theory]
    [InlineData($"00-{Trace}-{Span}-01", true)]
    [InlineData($"00-{Trace}-{Span}-00", false)]
    [InlineData($"00-{Trace}-{Span}-03", true)]
    [InlineData($"00-{Trace}-{Span}-02", false)]
    [InlineData($"cc-{Trace}-{Span}-01-what-the-future-brings", true)]
    public void The_client_decides(string traceParent, bool isSampled)
    {
        foreach (var ratio in (double[])[0, 1])
        {
            Assert.Equal(isSampled, new RequestSampler(ratio, followsParent: true).IsSampled(traceParent, "a=b", out var parent));
            if (isSampled) Assert.Equal((Trace, Span, "a=b"), ($"{parent.Trace:x32}", $"{parent.Span:x16}", parent.State));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData($"00-{Trace}-{Span}-0")]
    [InlineData($"00-{Trace}-{Span}-01-more")]
    [InlineData($"cc-{Trace}-{Span}-01.more")]
    [InlineData($"ff-{Trace}-{Span}-01")]
    [InlineData($"0G-{Trace}-{Span}-01")]
    [InlineData("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")]
    [InlineData($"00-00000000000000000000000000000000-{Span}-01")]
    [InlineData($"00-{Trace}-0000000000000000-01")]
    [InlineData($"00-{Trace}_{Span}-01")]
    [InlineData($"00-{Trace}-{Span}-\u00e4\u00e4")]
    public void What_is_no_traceparent_decides_nothing(string traceParent)
    {
        Assert.False(new RequestSampler(0, followsParent: true).IsSampled(traceParent, null, out _));
        Assert.True(new RequestSampler(1, followsParent: true).IsSampled(traceParent, null, out var parent));
        Assert.NotEqual(Trace, $"{parent.Trace:x32}");
        Assert.Equal(0UL, parent.Span);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(1)]
    public void By_the_ratio_the_same_traces_are_chosen_as_by_OpenTelemetrys_own_sampler(double ratio)
    {
        var (ours, theirs) = (new RequestSampler(ratio, followsParent: false), new TraceIdRatioBasedSampler(ratio));
        var sampled = 0;
        for (var i = 0; i < 2000; i++)
        {
            var trace = ActivityTraceId.CreateRandom();
            var isSampled = ours.IsSampled($"00-{trace}-{Span}-00", null, out _);
            sampled += isSampled ? 1 : 0;
            Assert.Equal(Decision(trace), isSampled);
            if (ours.IsSampled(null, null, out var root)) Assert.True(Decision(ActivityTraceId.CreateFromString($"{root.Trace:x32}")));
        }

        Assert.InRange(sampled, (int)(2000 * ratio * 0.7), (int)(2000 * ratio * 1.3));

        bool Decision(ActivityTraceId trace) => theirs.ShouldSample(new SamplingParameters(default, trace, "", ActivityKind.Server)).Decision == SamplingDecision.RecordAndSample;
    }

    [Fact]
    public void A_request_that_is_not_sampled_allocates_nothing()
    {
        var sampler = new RequestSampler(0, followsParent: true);
        Decide();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Decide();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Decide()
        {
            sampler.IsSampled(null, null, out _);
            sampler.IsSampled($"00-{Trace}-{Span}-00", null, out _);
        }
    }

    [Fact]
    public void A_number_that_is_left_is_used_up()
    {
        var sampler = new RequestSampler(1, followsParent: true) { Left = 2 };
        Assert.Equal([true, true, false], Enumerable.Range(0, 3).Select(_ => sampler.IsSampled(null, null, out var _)));
        sampler.Left = -1;
        Assert.True(sampler.IsSampled(null, null, out _));
        sampler.Ratio = null;
        Assert.False(sampler.IsSampled($"00-{Trace}-{Span}-01", null, out _));
    }
}
