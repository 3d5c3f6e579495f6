using CsCheck;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

/// <summary>The former against a model of it that is slow and obvious.</summary>
public sealed class BatchFormerProperties
{
    private const int BatchSize = 5;
    private const long Starving = 1_000;
    private const long LostSuccessor = 1000;

    [Fact]
    public void Every_row_leaves_once_in_order_and_no_batch_is_too_large_or_empty_while_a_row_is_ready() =>
        Gen.Select(Gen.Int[0, 99], Gen.Int[0, 1000], Gen.Int[0, 1000]).Array[1, 200].Sample(
            static history =>
            {
                var world = new World();
                foreach (var (kind, a, b) in history) world.Step(kind, a, b);
                world.Finish();
            },
            iter: 5_000);

    private sealed class World
    {
        private readonly BatchFormer<TestRow> _former = new(new(), timestampFrequency: 1_000); // a tick is a millisecond
        private readonly List<TestRow> _decoding = [];
        private readonly List<TestRow> _ready = [];
        private readonly HashSet<TestRow> _left = [];
        private int _arrived;
        private bool _moreFollows;
        private long _now = 1;

        public void Step(int kind, int a, int b)
        {
            switch (kind)
            {
                case < 35:
                    Arrive(a, b);
                    break;
                case < 65:
                    if (_decoding.Count > 0) MarkReady(_decoding[a % _decoding.Count]);
                    break;
                case < 85:
                    Close();
                    break;
                case < 90:
                    if (_decoding.Concat(_ready).ToList() is { Count: > 0 } all) Remove(all[a % all.Count]);
                    break;
                case < 93:
                    Recall(1 + a % 8);
                    break;
                default:
                    _now += a % 10 == 0 ? a : a % 20;
                    break;
            }
        }

        public void Finish()
        {
            while (_decoding.Count > 0) MarkReady(_decoding[0]);
            _now += LostSuccessor; // of a delayed batch that was left open
            _moreFollows = false;
            while (Close() > 0)
            {
            }

            Assert.Empty(_ready);
            Assert.Equal(_arrived, _left.Count);
            Assert.Equal(0, _former.ReadyRows);
            Assert.Equal(0, _former.ReadyRequests);
        }

        private void Arrive(int a, int b)
        {
            var row = new TestRow($"#{++_arrived}", shape: a % 3)
            {
                Lane = b % 2,
                Rows = a % 7 == 0 ? 1 + b % BatchSize : 1,
                DeadlineTimestamp = b % 4 == 0 ? _now + a % 100 : long.MaxValue,
            };
            _moreFollows = a % 11 == 0;
            _former.AddArrived(row, _moreFollows, _now);
            _decoding.Add(row);
        }

        private void MarkReady(TestRow row)
        {
            _former.MarkReady(row, row.ItsShape, _now);
            _decoding.Remove(row);
            _ready.Add(row);
        }

        private int Close()
        {
            List<TestRow> batch = [];
            List<TestRow> dropped = [];
            if (_former.NextWakeup <= _now) _moreFollows = false;
            var rows = _former.Close(_now, BatchSize, batch, dropped);

            foreach (var row in dropped)
            {
                Assert.True(row.DeadlineTimestamp <= _now, "Dropped in time.");
                Leave(row);
            }

            // What may go now: decoded, in time, and not held for the rest of its delayed batch.
            var candidates = _ready.Where(r => r.Stage != RowStage.Held && r.DeadlineTimestamp > _now).ToList();
            var overdue = candidates.Concat(batch).Where(r => _now - r.ReadyTimestamp >= Starving).ToHashSet();
            foreach (var row in batch) Leave(row);
            candidates.RemoveAll(batch.Contains);

            Assert.Equal(batch.Sum(r => r.Rows), rows);
            Assert.InRange(rows, 0, BatchSize);
            Assert.All(batch, r => Assert.True(r.DeadlineTimestamp > _now, "Run too late."));
            if (batch.Count == 0)
            {
                Assert.Empty(candidates);
                Assert.True(_moreFollows || _decoding.Count > 0 || _ready.Count == 0, "Rows are held for nobody.");
                return rows;
            }

            var first = batch[0];
            Assert.All(batch, r => Assert.Equal(first.ItsShape, r.ItsShape));
            if (overdue.Count > 0) Assert.Contains(first, overdue);
            else Assert.DoesNotContain(candidates, r => RowOrder.Before(r, first));
            for (var i = 2; i < batch.Count; i++) Assert.True(RowOrder.Before(batch[i - 1], batch[i]), "Out of order.");
            var next = candidates.Where(r => r.ItsShape == first.ItsShape).Order(Comparer<TestRow>.Create((x, y) => RowOrder.Before(x, y) ? -1 : 1)).FirstOrDefault();
            if (next is not null)
            {
                Assert.True(rows + next.Rows > BatchSize, "There was room for another.");
                if (batch.Count > 1) Assert.True(RowOrder.Before(batch[^1], next), "Overtaken.");
            }

            return rows;
        }

        private void Remove(TestRow row)
        {
            Assert.True(_former.Remove(row));
            Leave(row);
        }

        private void Recall(int rows)
        {
            List<TestRow> returned = [];
            _former.Recall(rows, returned);
            Assert.InRange(returned.Sum(r => r.Rows), 0, rows);
            var youngest = returned.Count == 0 ? long.MaxValue : returned.Min(r => r.Sequence);
            foreach (var row in returned) Leave(row);

            var left = rows - returned.Sum(r => r.Rows);
            Assert.All(_decoding.Concat(_ready).Where(r => r.Sequence > youngest || left > 0), r => Assert.True(r.Rows > left || left == 0, "A younger one stayed."));
        }

        private void Leave(TestRow row)
        {
            Assert.False(row.IsWaiting);
            Assert.True(_left.Add(row), $"{row.Name} left twice.");
            _decoding.Remove(row);
            _ready.Remove(row);
        }
    }
}
