using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

public sealed class BatchFormerTests
{
    private const int Millisecond = 1_000;
    private readonly BatchFormer<TestRow> _former = new(new(), timestampFrequency: 1_000_000);
    private readonly List<TestRow> _dropped = [];
    private long _now = 1;

    [Fact]
    public void A_batch_takes_ready_rows_by_lane_then_deadline_then_arrival()
    {
        Ready("late lane", lane: 1);
        Ready("no deadline");
        Ready("second", deadline: 20);
        Ready("first", deadline: 10);
        Ready("also second", deadline: 20);

        Assert.Equal(["first", "second", "also second"], Close(3));
        Assert.Equal(["no deadline", "late lane"], Close(3));
        Assert.Empty(Close(3));
    }

    [Fact]
    public void Rows_that_are_still_being_decoded_do_not_hold_up_the_others()
    {
        var slow = Arrive("slow");
        Ready("quick");

        Assert.Equal(["quick"], Close(8));
        _former.MarkReady(slow, 0, _now);
        Assert.Equal(["slow"], Close(8));
    }

    [Fact]
    public void A_batch_is_of_one_shape_class_which_the_first_pick_decides()
    {
        Ready("a1", shape: 7);
        Ready("b1", shape: 8);
        Ready("a2", shape: 7);
        Ready("b0", shape: 8, deadline: 10);

        Assert.Equal(["b0", "b1"], Close(8));
        Assert.Equal(["a1", "a2"], Close(8));
    }

    [Fact]
    public void A_row_that_has_been_ready_for_too_long_goes_first_with_its_shape()
    {
        Ready("starving", lane: 2, shape: 7);
        _now += 1_000 * Millisecond;
        Ready("urgent", deadline: 10);
        Ready("starving's kin", lane: 2, shape: 7);

        Assert.Equal(["starving", "starving's kin"], Close(8));
        Assert.Equal(["urgent"], Close(8));
    }

    [Fact]
    public void A_request_with_several_rows_is_not_split_and_not_overtaken()
    {
        Ready("three", rows: 3);
        Ready("two", rows: 2);
        Ready("one", rows: 1);

        Assert.Equal(["three"], Close(4));
        Assert.Equal(["two", "one"], Close(4));
    }

    [Fact]
    public void A_request_with_more_rows_than_the_batch_may_have_runs_alone_rather_than_never()
    {
        Ready("large", rows: 9);
        Ready("small");

        Assert.Equal(["large"], Close(4));
    }

    [Fact]
    public void A_row_past_its_deadline_is_dropped_and_does_not_decide_the_shape()
    {
        Ready("late", deadline: 5, shape: 7);
        Ready("in time", deadline: 50, shape: 8);
        Ready("other", shape: 7);
        _now += 5 * Millisecond;

        Assert.Equal(["in time"], Close(8));
        Assert.Equal(["late"], _dropped.Select(r => r.Name));
    }

    [Fact]
    public void A_late_row_that_would_not_fit_does_not_keep_others_out_of_the_batch()
    {
        Ready("first", lane: 0);
        Ready("late and large", lane: 1, deadline: 5, rows: 4);
        Ready("second", lane: 2);
        _now += 5 * Millisecond;

        Assert.Equal(["first", "second"], Close(4));
        Assert.Equal(["late and large"], _dropped.Select(r => r.Name));
    }

    [Fact]
    public void Removed_rows_are_not_in_a_batch_whether_decoded_or_not()
    {
        var decoding = Arrive("decoding");
        var ready = Ready("ready");

        Assert.True(_former.Remove(decoding));
        Assert.True(_former.Remove(ready));
        Assert.False(_former.Remove(ready));
        Assert.False(decoding.IsWaiting);
        Assert.Empty(Close(8));
        Assert.Equal(0, _former.ReadyRows);
    }

    [Fact]
    public void A_recall_gives_back_what_arrived_last_ready_or_not()
    {
        Ready("first");
        Arrive("second");
        Ready("third", rows: 3);
        Ready("fourth");

        List<TestRow> returned = [];
        _former.Recall(3, returned);
        Assert.Equal(["fourth", "second", "first"], returned.Select(r => r.Name)); // the third does not fit into what was asked for
        Assert.Equal(["third"], Close(8));
    }

    [Fact]
    public void A_delayed_batch_is_ready_when_its_last_row_is_there_and_all_are_decoded()
    {
        var first = Arrive("first", more: true);
        var second = Arrive("second", more: true);
        _former.MarkReady(first, 0, _now);
        Assert.Empty(Close(8));

        var third = Arrive("third");
        _former.MarkReady(third, 0, _now);
        Assert.Empty(Close(8));
        Assert.Equal(long.MaxValue, _former.NextWakeup);

        _former.MarkReady(second, 0, _now);
        Assert.Equal(["first", "second", "third"], Close(8));
    }

    [Fact]
    public void A_delayed_batch_does_not_wait_for_a_row_that_left()
    {
        var first = Arrive("first", more: true);
        var second = Arrive("second");
        _former.MarkReady(first, 0, _now);

        _former.Remove(second);
        Assert.Equal(["first"], Close(8));
    }

    [Fact]
    public void A_successor_that_never_comes_holds_up_a_delayed_batch_for_a_bounded_time()
    {
        var row = Arrive("row", more: true);
        _former.MarkReady(row, 0, _now);
        Assert.Equal(_now + 1000 * Millisecond, _former.NextWakeup);
        _now += 1000 * Millisecond - 1;
        Assert.Empty(Close(8));

        _now++;
        Assert.Equal(["row"], Close(8));
        Assert.Equal(long.MaxValue, _former.NextWakeup);
    }

    [Fact]
    public void An_object_can_carry_another_request_after_it_left()
    {
        var row = Ready("row");
        Assert.Throws<InvalidOperationException>(() => _former.AddArrived(row, false, _now));
        Assert.Throws<InvalidOperationException>(() => _former.MarkReady(row, 0, _now));
        Close(1);

        _former.AddArrived(row, false, _now);
        _former.MarkReady(row, 3, _now);
        Assert.Equal(["row"], Close(1));
    }

    [Fact]
    public void Forming_batches_allocates_nothing()
    {
        var rows = new TestRow[64];
        for (var i = 0; i < rows.Length; i++) rows[i] = new TestRow("", 0) { Lane = i % 3, DeadlineTimestamp = 1_000_000 + i % 7 };
        List<TestRow> batch = new(64);
        Run();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 100; round++) Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            foreach (var row in rows) _former.AddArrived(row, false, 1);
            foreach (var row in rows) _former.MarkReady(row, 0, 1);
            while (_former.Close(1, 8, batch, _dropped) > 0) batch.Clear();
        }
    }

    private TestRow Arrive(string name, int lane = 0, int? deadline = null, int rows = 1, bool more = false)
    {
        var row = new TestRow(name, 0)
        {
            Lane = lane,
            Rows = rows,
            DeadlineTimestamp = deadline is { } ms ? 1 + ms * Millisecond : long.MaxValue,
        };
        _former.AddArrived(row, more, _now);
        return row;
    }

    private TestRow Ready(string name, int lane = 0, int? deadline = null, int rows = 1, long shape = 0)
    {
        if (deadline is { } ms) deadline = ms + (int)(_now / Millisecond);
        var row = Arrive(name, lane, deadline, rows);
        _former.MarkReady(row, shape, _now);
        return row;
    }

    private List<string> Close(int maxRows)
    {
        List<TestRow> batch = [];
        var rows = _former.Close(_now, maxRows, batch, _dropped);
        Assert.Equal(batch.Sum(r => r.Rows), rows);
        return [.. batch.Select(r => r.Name)];
    }
}
