using CsCheck;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

public sealed class RequestTreeTests
{
    [Fact]
    public void It_is_a_sorted_list_whatever_joins_and_leaves() => Gen.Select(Gen.Int[0, 2], Gen.Int[0, 1_000], Gen.Int[1, 5]).Array[1, 300].Sample(
        steps =>
        {
            var tree = new RequestTree();
            List<TestRequest> list = [];
            var sequence = 0L;
            foreach (var (kind, value, rows) in steps)
            {
                if (kind > 0 || list.Count == 0)
                {
                    var request = new TestRequest { Rows = rows, OrderTimestamp = value % 50, Sequence = ++sequence, ArrivalTimestamp = value };
                    tree.Add(request);
                    list.Add(request);
                }
                else
                {
                    var leaving = list[value % list.Count];
                    tree.Remove(leaving);
                    list.Remove(leaving);
                }

                list.Sort(static (a, b) => (a.OrderTimestamp, a.Sequence).CompareTo((b.OrderTimestamp, b.Sequence)));
                Assert.Same(list.FirstOrDefault(), tree.First);
                Assert.Equal((list.Count, list.Sum(r => r.Rows)), (tree.Count, tree.Rows));
                Assert.Equal(list.Count == 0 ? long.MaxValue : list.Min(r => r.ArrivalTimestamp), tree.OldestArrival);
                Assert.Equal(list.Where(r => r.OrderTimestamp <= value % 50).Sum(r => r.Rows), tree.RowsBefore(value % 50));
            }

            while (tree.First is { } first)
            {
                Assert.Same(list[0], first);
                tree.Remove(first);
                list.RemoveAt(0);
            }

            Assert.Empty(list);
        },
        iter: 1_000);

    [Fact]
    public void A_long_line_in_order_takes_no_longer_than_its_logarithm()
    {
        const int Count = 200_000;
        var tree = new RequestTree();
        var requests = new TestRequest[Count];
        for (var i = 0; i < Count; i++) tree.Add(requests[i] = new TestRequest { OrderTimestamp = i, Sequence = i });

        // A recursion as deep as the line is long would end the process.
        Assert.Equal(Count / 2 + 1, tree.RowsBefore(Count / 2));
        foreach (var request in requests) tree.Remove(request);
        Assert.Null(tree.First);
    }
}
