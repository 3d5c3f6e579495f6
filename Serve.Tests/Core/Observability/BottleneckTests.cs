using Serve.Core.Observability;

namespace Serve.Tests.Core.Observability;

public sealed class BottleneckTests
{
    [Fact]
    public void Nothing_is_said_before_anything_is_known() => Assert.Null(Bottleneck.Of(default));

    [Fact]
    public void A_worker_without_requests_is_idle() =>
        Expect(BottleneckStage.None, "idle: no requests", Of(busy: 0, starved: 0, idle: 10, decode: 0, threads: 4, rows: 0));

    [Fact]
    public void A_device_that_waits_for_rows_says_how_many_cores_would_feed_it() =>
        Expect(BottleneckStage.Decode, "decode-bound: 11 cores would feed this device, which waits for rows 64 % of the time", Of(busy: 3.6, starved: 6.4, idle: 0, decode: 39.2, threads: 4));

    [Fact]
    public void A_device_that_is_busy_says_what_decoding_has_to_spare() =>
        Expect(BottleneckStage.Device, "device-bound: decoding has 63 % to spare", Of(busy: 9.7, starved: 0.1, idle: 0.1, decode: 14.8, threads: 4));

    [Fact]
    public void A_handler_that_decodes_nothing_has_only_a_device_to_be_bound_by() =>
        Expect(BottleneckStage.Device, "device-bound: it executes 97 % of the time", Of(busy: 9.7, starved: 0, idle: 0.1, decode: 0, threads: 0));

    [Fact]
    public void A_worker_with_few_requests_says_what_would_limit_it_with_more()
    {
        Expect(BottleneckStage.None, "idle: no requests 70 % of the time; at full load the device would limit it", Of(busy: 2, starved: 1, idle: 7, decode: 1, threads: 4));
        Expect(BottleneckStage.None, "idle: no requests 70 % of the time; at full load decoding would limit it: 5 cores would feed this device", Of(busy: 0.4, starved: 2.6, idle: 7, decode: 2, threads: 1));
    }

    [Fact]
    public void Postprocessing_that_leaves_its_thread_no_time_is_named() =>
        Expect(BottleneckStage.Encode, "answer-bound: postprocessing takes 95 % of its thread's time", Of(busy: 5, starved: 0.2, idle: 0.5, decode: 1, threads: 4) with { EncodeBusy = TimeSpan.FromSeconds(9.5) });

    [Fact]
    public void Workers_add_up_and_readings_subtract()
    {
        var earlier = Of(busy: 1, starved: 1, idle: 8, decode: 2, threads: 2);
        var later = earlier + Of(busy: 9, starved: 0, idle: 1, decode: 3, threads: 2);

        Assert.Equal(Of(busy: 9, starved: 0, idle: 1, decode: 3, threads: 2), later - earlier);
        Assert.Equal(0.5, later.DeviceUse);
    }

    private static void Expect(BottleneckStage stage, string text, WorkerStages times) => Assert.Equal(new Bottleneck(stage, text), Bottleneck.Of(times));

    // Within ten seconds.
    private static WorkerStages Of(double busy, double starved, double idle, double decode, int threads, long rows = 100) => new()
    {
        Elapsed = TimeSpan.FromSeconds(10),
        DeviceBusy = TimeSpan.FromSeconds(busy),
        DeviceStarved = TimeSpan.FromSeconds(starved),
        DeviceIdle = TimeSpan.FromSeconds(idle),
        DecodeBusy = TimeSpan.FromSeconds(decode),
        DecodeCapacity = TimeSpan.FromSeconds(10 * threads),
        Rows = rows,
    };
}
