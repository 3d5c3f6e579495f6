using CsCheck;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

/// <summary>Batches that are executed in certain sizes only.</summary>
public sealed class BatchBucketsTests
{
    private static readonly BatchBuckets Buckets = BatchBuckets.Of([8, 1, 4]);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 4)]
    [InlineData(4, 4)]
    [InlineData(5, 8)]
    [InlineData(8, 8)]
    [InlineData(9, 9)] // a single request of more than the largest
    public void The_smallest_size_that_holds_the_rows_is_executed(int rows, int size)
    {
        Assert.Equal(size, Buckets.SizeOf(rows));
        Assert.Equal(rows, BatchBuckets.Any.SizeOf(rows));
    }

    [Fact]
    public void Sizes_are_numbers_from_one_and_at_least_one_of_them()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => BatchBuckets.Of([]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BatchBuckets.Of([0, 1]));
        Assert.Equal([1, 4, 8], BatchBuckets.Of([4, 8, 1, 4]).Sizes.ToArray());
        Assert.True(BatchBuckets.Any.IsAny);
    }

    [Theory]
    [InlineData(100, 110, 200, 4)] // 8 rows' worth for 5: 40 each; 4 for 4: 27.5 each
    [InlineData(100, 110, 115, 5)] // 23 each: padded up
    [InlineData(10, 110, 115, 1)]  // one by one costs least
    public void The_former_takes_the_rows_whose_size_costs_least_for_each(long one, long four, long eight, int rows)
    {
        var former = Former();
        for (var i = 0; i < 5; i++) former.Learn(1, one);
        for (var i = 0; i < 5; i++) former.Learn(4, four);
        for (var i = 0; i < 5; i++) former.Learn(7, eight); // executed as 8
        Assert.Equal([one, four, eight], new[] { 1, 4, 8 }.Select(size => former.Cost.Mean(size)));
        for (var i = 0; i < 5; i++) Ready(former, new TestRow($"#{i}", 0));
        Assert.Equal(rows, Close(former).Count);
    }

    [Fact]
    public void What_was_never_measured_is_tried_out()
    {
        var former = Former();
        for (var i = 0; i < 5; i++) former.Learn(4, 10);
        for (var i = 0; i < 5; i++) Ready(former, new TestRow($"#{i}", 0));
        Assert.Equal(5, Close(former).Count);
    }

    [Fact]
    public void Rows_of_another_shape_do_not_count()
    {
        var former = Former();
        for (var i = 0; i < 5; i++) former.Learn(1, 10);
        for (var i = 0; i < 5; i++) former.Learn(4, 15);
        for (var i = 0; i < 5; i++) former.Learn(8, 16);
        Ready(former, new TestRow("a", 1));
        for (var i = 0; i < 7; i++) Ready(former, new TestRow($"b{i}", 2));
        Assert.Equal(["a"], Close(former).Select(row => row.Name));
        Assert.Equal(7, Close(former).Count);
    }

    [Fact]
    public void A_deadline_is_judged_by_the_size_that_is_executed()
    {
        var former = Former();
        for (var i = 0; i < 5; i++) former.Learn(1, 10_000);
        for (var i = 0; i < 5; i++) former.Learn(4, 20_000);
        for (var i = 0; i < 5; i++) former.Learn(8, 21_000);

        // In 15 ms: alone, not with a second one, with which four would be executed.
        Ready(former, new TestRow("urgent", 0) { DeadlineTimestamp = 1 + 15_000 });
        Ready(former, new TestRow("patient", 0));
        Assert.Equal(["urgent"], Close(former).Select(row => row.Name));
        Assert.Equal(["patient"], Close(former).Select(row => row.Name));
    }

    [Fact]
    public void Every_row_leaves_once_in_order_and_as_many_go_together_as_costs_least() =>
        Gen.Select(Gen.Int[1, 40].Array[1, 5], Gen.Int[1, 3].Array[1, 60], Gen.Int[1, 1000].Array[5]).Sample(static (sizes, requests, costs) =>
        {
            var buckets = BatchBuckets.Of(sizes.Append(40));
            var former = new BatchFormer<TestRow>(new(), 1_000_000, new BatchCostModel(40), buckets);
            foreach (var (size, cost) in buckets.Sizes.ToArray().Zip(costs)) former.Learn(size, cost);
            for (var i = 0; i < requests.Length; i++) Ready(former, new TestRow($"{i}", 0) { Rows = requests[i] });

            var left = requests.ToList();
            var next = 0;
            while (former.ReadyRows > 0)
            {
                long[] known = [.. buckets.Sizes.ToArray().Select(size => former.Cost.IsMeasured(size) ? former.Cost.Mean(size) : 0)];
                var most = BucketChoice.Choose(left.Sum(), buckets.Sizes, known).Rows;
                var batch = Close(former, 40);
                var rows = batch.Sum(row => row.Rows);
                Assert.Equal(Enumerable.Range(next, batch.Count).Select(i => $"{i}"), batch.Select(row => row.Name));
                Assert.True(rows <= most || batch.Count == 1, "More than was to be taken.");
                Assert.True(left.Count == batch.Count || rows + left[batch.Count] > most, "There was room for another.");
                left.RemoveRange(0, batch.Count);
                next += batch.Count;
            }

            Assert.Empty(left);
        });

    private static BatchFormer<TestRow> Former() => new(new() { AnswerTime = TimeSpan.Zero }, timestampFrequency: 1_000_000, new BatchCostModel(8), Buckets);

    private static void Ready(BatchFormer<TestRow> former, TestRow row)
    {
        former.AddArrived(row, more: false, now: 1);
        former.MarkReady(row, row.ItsShape, now: 1);
    }

    private static List<TestRow> Close(BatchFormer<TestRow> former, int maxRows = 8)
    {
        List<TestRow> batch = [];
        former.Close(now: 1, maxRows, batch, []);
        return batch;
    }
}
