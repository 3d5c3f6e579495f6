using CsCheck;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

/// <summary>What deadlines do to batches, on a device of 10 ms + 0.2 ms a row.</summary>
public sealed class BatchDeadlineTests
{
    private const int MaxRows = 32;
    private const long Now = 1_000_000;

    private readonly BatchFormer<TestRow> _former = NewFormer();
    private readonly List<TestRow> _batch = [];
    private readonly List<TestRow> _dropped = [];

    [Fact]
    public void A_batch_is_not_made_larger_than_its_oldest_row_allows()
    {
        Ready(1, milliseconds: 12.6); // 10 ms + 8 rows of 0.2 ms leave half a millisecond for the way back
        Ready(20, milliseconds: 500);

        Assert.Equal(10, Close());
        Assert.Empty(_dropped);
        Assert.Equal(11, Close());
    }

    [Fact]
    public void Where_that_would_make_the_others_late_the_oldest_leaves_instead()
    {
        Ready(1, milliseconds: 12.6);
        Ready(31, milliseconds: 20);
        Ready(10, milliseconds: 30);

        Assert.Equal(32, Close());
        Assert.Equal(["12.6"], _dropped.Select(row => row.Name));
    }

    [Fact]
    public void A_row_of_a_lane_that_goes_before_never_leaves_for_one_behind_it()
    {
        Ready(1, milliseconds: 12.6);
        Ready(40, milliseconds: 20, lane: 1);

        Assert.Equal(10, Close());
        Assert.Empty(_dropped);
    }

    [Fact]
    public void What_cannot_be_in_time_any_more_is_dropped_and_the_batch_is_full()
    {
        Ready(20, milliseconds: 5);
        Ready(40, milliseconds: 50);

        Assert.Equal(32, Close());
        Assert.Equal(20, _dropped.Count);
    }

    [Fact]
    public void With_nothing_better_to_do_the_device_runs_what_seems_late()
    {
        Ready(20, milliseconds: 5);
        Assert.Equal(20, Close());
        Assert.Empty(_dropped);
    }

    [Fact]
    public void What_seems_late_is_of_one_shape_like_any_batch()
    {
        Ready(_former, milliseconds: 5, shape: 0);
        Ready(_former, milliseconds: 6, shape: 1);
        Ready(_former, milliseconds: 7, shape: 1);

        Assert.Equal(1, Close());
        Assert.Equal(2, _dropped.Count);
    }

    [Fact]
    public void A_row_of_a_later_lane_in_a_hurry_that_the_batch_cannot_serve_is_dropped()
    {
        Ready(20, milliseconds: 500);
        Ready(1, milliseconds: 12, lane: 1);
        Assert.Equal(20, Close());
        Assert.Single(_dropped);
    }

    [Fact]
    public void Without_measurements_deadlines_bound_nothing()
    {
        var former = new BatchFormer<TestRow>(new(), 1_000_000, new BatchCostModel(MaxRows));
        for (var i = 0; i < 20; i++) Ready(former, milliseconds: 1);
        Assert.Equal(20, former.Close(Now, MaxRows, _batch, _dropped));
    }

    [Fact]
    public void Whatever_waits_leaves_once_and_something_runs_whenever_something_can() =>
        Gen.Select(Gen.Int[0, 2], Gen.Double[0.1, 120], Gen.Int[1, 4], Gen.Int[0, 1]).Array[1, 120].Sample(
            rows =>
            {
                var former = NewFormer();
                var waiting = rows.Select(r => Ready(former, r.Item2, r.Item1, r.Item3, r.Item4)).ToHashSet();
                var now = Now;
                while (former.ReadyRequests > 0)
                {
                    List<TestRow> batch = [], dropped = [];
                    var inTime = waiting.Any(r => r.DeadlineTimestamp > now);
                    var size = former.Close(now, MaxRows, batch, dropped);

                    Assert.InRange(size, inTime ? 1 : 0, MaxRows);
                    Assert.Equal(size, batch.Sum(r => r.Rows));
                    Assert.True(batch.Select(r => r.ItsShape).Distinct().Count() <= 1);
                    foreach (var row in batch.Concat(dropped)) Assert.True(waiting.Remove(row), "Lost, or twice.");
                    now += 10_000 + 200 * size;
                }

                Assert.Empty(waiting);
            },
            iter: 2_000);

    private static BatchFormer<TestRow> NewFormer()
    {
        var former = new BatchFormer<TestRow>(new(), timestampFrequency: 1_000_000, new BatchCostModel(MaxRows));
        for (var i = 0; i < 10; i++)
        {
            foreach (var rows in (int[])[1, MaxRows]) former.Cost.Learn(rows, 10_000 + 200 * rows);
        }

        return former;
    }

    private int Close()
    {
        _batch.Clear();
        return _former.Close(Now, MaxRows, _batch, _dropped);
    }

    private void Ready(int count, double milliseconds, int lane = 0)
    {
        for (var i = 0; i < count; i++) Ready(_former, milliseconds, lane);
    }

    private static TestRow Ready(BatchFormer<TestRow> former, double milliseconds, int lane = 0, int rows = 1, int shape = 0)
    {
        var name = milliseconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var row = new TestRow(name, shape) { DeadlineTimestamp = Now + (long)(1_000 * milliseconds), Lane = lane, Rows = rows };
        former.AddArrived(row, more: false, Now);
        former.MarkReady(row, shape, Now);
        return row;
    }
}
