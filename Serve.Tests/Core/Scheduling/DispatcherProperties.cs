using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

/// <summary>What holds whatever happens, in whatever order.</summary>
public sealed class DispatcherProperties
{
    private const int MaxQueueSize = 12;

    private static readonly Gen<(int Kind, int A, int B)[]> Histories =
        Gen.Select(Gen.Int[0, 99], Gen.Int[0, 1000], Gen.Int[0, 1000]).Array[1, 250];

    [Fact]
    public void No_request_is_lost_or_answered_twice_and_credit_order_and_queue_bound_hold() =>
        Histories.Sample(static history => new World(BatchingMode.Adaptive).Play(history), iter: 3_000);

    [Fact]
    public void The_same_holds_for_delayed_batches() =>
        Histories.Sample(static history => new World(BatchingMode.Delayed).Play(history), iter: 2_000);

    /// <summary>A dispatcher, workers as the protocol allows them to be, clients, and what each of them remembers.</summary>
    private sealed class World : IDispatchSink
    {
        private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(20);

        private readonly FakeTimeProvider _time = new();
        private readonly BatchingMode _mode;
        private readonly Dispatcher _dispatcher;
        private readonly List<FakeWorker> _workers = [];
        private readonly List<TestRequest> _admitted = [];
        private readonly Dictionary<ulong, string> _ends = [];
        private readonly HashSet<ulong> _owed = []; // abandoned, and not released yet
        private ulong _lastId;

        public World(BatchingMode mode)
        {
            _mode = mode;
            _dispatcher = new Dispatcher(
                new() { Mode = mode, BatchSize = 4, MaxBatchDelay = Delay, Lanes = 2, MaxQueueSize = MaxQueueSize, MinBatchTimeForRecall = TimeSpan.Zero },
                _time,
                this);
        }

        public void Play((int Kind, int A, int B)[] history)
        {
            foreach (var (kind, a, b) in history)
            {
                Step(kind, a, b);
                Check();
            }

            Finish();
        }

        void IDispatchSink.Send(WorkerSlot slot, ScheduledRequest request, bool more)
        {
            var worker = (FakeWorker)slot.Owner;
            Assert.False(slot.IsDraining);
            Assert.True(slot.OutstandingRows <= slot.Credit || slot.OutstandingRequests == 1, "More rows than credit.");
            Assert.False(_ends.ContainsKey(request.Id), "Sent after its end.");
            Assert.True(request.DeadlineTimestamp > _time.GetTimestamp() || request.Group is not null, "Sent after its deadline.");
            if (request.Group is null)
            {
                Assert.False(slot.IsIsolating, "A stranger beside suspects.");
                var before = _admitted.Where(r => r.Place == RequestPlace.Queued && Math.Min(r.Lane, 1) == Math.Min(request.Lane, 1)
                    && (r.OrderTimestamp, r.Sequence).CompareTo((request.OrderTimestamp, request.Sequence)) < 0);
                Assert.Empty(before);
            }
            else
            {
                Assert.True(slot.IsIsolating);
                Assert.All(slot.InFlight.Values, r => Assert.Same(request.Group, r.Group));
            }

            worker.Unbegun.Add((TestRequest)request);
        }

        void IDispatchSink.Recall(WorkerSlot slot, int rows)
        {
            var worker = (FakeWorker)slot.Owner;
            Assert.InRange(rows, 1, int.MaxValue);
            Assert.Null(worker.Recalled);
            worker.Recalled = rows;
        }

        void IDispatchSink.Released(ScheduledRequest request) => Assert.True(_owed.Remove(request.Id), "Released, but not abandoned.");

        private void Step(int kind, int a, int b)
        {
            switch (kind)
            {
                case < 35:
                    Admit(lane: a % 3, rows: a % 10 == 0 ? 1 + b % 9 : 1, deadline: b % 5 == 0 ? 1 + a % 100 : null);
                    break;
                case < 50:
                    if (PickWorker(a) is { } beginner) Begin(beginner, 1 + b % 4, skip: b % 2);
                    break;
                case < 75:
                    if (PickWorker(a) is { } answerer) Answer(answerer, b);
                    break;
                case < 80:
                    if (_workers.Where(w => w.Recalled is not null).ToList() is { Count: > 0 } recalled) Return(recalled[a % recalled.Count]);
                    break;
                case < 85:
                    if (_admitted.Count > 0) Abandon(_admitted[a % _admitted.Count]);
                    break;
                case < 90:
                    if (_workers.Count < 4) AddWorker(a % 10);
                    break;
                case < 93:
                    if (PickWorker(a) is { } lost) Lose(lost, (WorkerLossReason)(b % 3));
                    break;
                case < 95:
                    if (PickWorker(a) is { } leaving) _dispatcher.Drain(leaving.Slot);
                    break;
                case < 96:
                    if (PickWorker(a) is { } granted) _dispatcher.Grant(granted.Slot, b % 5);
                    break;
                default:
                    PassTime(TimeSpan.FromMilliseconds(1 + a % 30));
                    break;
            }
        }

        private void Admit(int lane, int rows, int? deadline)
        {
            var now = _time.GetTimestamp();
            var request = new TestRequest
            {
                Id = ++_lastId,
                Lane = lane,
                Rows = rows,
                ArrivalTimestamp = now,
                DeadlineTimestamp = deadline is { } ms ? now + ms * TimeSpan.TicksPerMillisecond : long.MaxValue,
            };
            _admitted.Add(request);
            var (verdict, predicted) = _dispatcher.Admit(request);
            if (verdict == AdmissionVerdict.Admitted)
            {
                Assert.True(request.Place != RequestPlace.Queued || _dispatcher.QueuedRows <= MaxQueueSize);
                return;
            }

            if (verdict == AdmissionVerdict.QueueFull) Assert.True(_dispatcher.QueuedRows + rows > MaxQueueSize, "Refused although the queue has room.");
            else Assert.True(_dispatcher.Cost.HasEvidence && predicted > request.DeadlineTimestamp - now, "Refused although it would be in time.");
            Assert.Equal(RequestPlace.Nowhere, request.Place);
            End(request, "refused");
        }

        private void AddWorker(int credit)
        {
            var worker = new FakeWorker();
            _workers.Add(worker);
            worker.Slot = _dispatcher.AddWorker(worker, credit);
        }

        private void Begin(FakeWorker worker, int count, int skip)
        {
            var batch = worker.Unbegun.Skip(skip).Take(count).ToList(); // what is not decoded yet is skipped
            foreach (var request in batch) worker.Unbegun.Remove(request);
            worker.Begun.AddRange(batch);
            _dispatcher.Begun(worker.Slot, [.. batch.Select(r => r.Id), 999_999]);
        }

        private void Answer(FakeWorker worker, int which)
        {
            var all = worker.Begun.Concat(worker.Unbegun).ToList(); // unbegun: a bad picture, or a cancelled one
            if (all.Count == 0) return;
            var request = all[which % all.Count];
            worker.Begun.Remove(request);
            worker.Unbegun.Remove(request);
            Assert.Same(request, worker.Slot.Find(request.Id));
            var wanted = !request.IsAbandoned;
            _dispatcher.Complete(worker.Slot, request);
            Assert.Null(worker.Slot.Find(request.Id));
            if (wanted) End(request, "answered");
        }

        private void Return(FakeWorker worker)
        {
            List<ulong> ids = [];
            var rows = worker.Recalled!.Value;
            for (var i = worker.Unbegun.Count - 1; i >= 0; i--)
            {
                if (worker.Unbegun[i].Rows > rows) continue;
                rows -= worker.Unbegun[i].Rows;
                ids.Add(worker.Unbegun[i].Id);
                worker.Unbegun.RemoveAt(i);
            }

            worker.Recalled = null;
            _dispatcher.Returned(worker.Slot, ids.ToArray());
        }

        private void Abandon(TestRequest request)
        {
            if (_ends.ContainsKey(request.Id)) return;
            if (_dispatcher.Remove(request)) Assert.Equal(RequestPlace.Nowhere, request.Place);
            else Assert.True(_owed.Add(request.Id));
            End(request, "client gone");
        }

        private void Lose(FakeWorker worker, WorkerLossReason reason)
        {
            _workers.Remove(worker);
            var oldest = worker.Begun.Count == 0 ? 0 : worker.Begun.Min(r => r.Batch);
            List<ScheduledRequest> failed = [];
            _dispatcher.RemoveWorker(worker.Slot, reason, failed);
            foreach (TestRequest request in failed)
            {
                if (reason == WorkerLossReason.TimedOut) Assert.True(worker.Begun.Contains(request) && request.Batch == oldest);
                else Assert.Equal((WorkerLossReason.Crashed, 3), (reason, request.SoloDeaths));
                Assert.Equal(RequestPlace.Nowhere, request.Place);
                End(request, "failed");
            }

            if (reason == WorkerLossReason.Stopped) Assert.Empty(failed);
        }

        private void PassTime(TimeSpan span)
        {
            _time.Advance(span);
            List<ScheduledRequest> late = [];
            _dispatcher.CollectLate(late);
            _dispatcher.Wake();
            foreach (TestRequest request in late)
            {
                Assert.True(request.DeadlineTimestamp <= _time.GetTimestamp());
                if (request.Worker is not null) Assert.True(_owed.Add(request.Id));
                End(request, "late");
            }

            Assert.True(_dispatcher.NextWakeup > _time.GetTimestamp(), "Something is due, and was not done.");
        }

        private void Check()
        {
            Assert.Equal(_admitted.Where(r => r.Place == RequestPlace.Queued).Sum(r => r.Rows), _dispatcher.QueuedRows);
            Assert.Equal(_admitted.Count(r => r.Place == RequestPlace.Quarantined), _dispatcher.QuarantinedRequests);
            foreach (var worker in _workers)
            {
                Assert.Equal(worker.Unbegun.Concat(worker.Begun).Sum(r => r.Rows), worker.Slot.OutstandingRows);
                Assert.True(worker.Slot.OutstandingRows <= worker.Slot.Credit || worker.Slot.OutstandingRequests == 1);
            }

            if (_dispatcher.QueuedRequests == 0) return;
            foreach (var worker in _workers.Where(w => w.Slot.IsOrdinary && w.Slot.IsIdle))
            {
                Assert.True(_mode == BatchingMode.Delayed, "A worker idles while requests wait.");
                Assert.True(_time.GetTimestamp() - _dispatcher.OldestQueuedArrival < Delay.Ticks, "Held for too long.");
            }
        }

        /// <summary>From any state: with a worker that lives, everything comes to its end.</summary>
        private void Finish()
        {
            AddWorker(credit: 8);
            for (var round = 0; _admitted.Exists(r => r.Place != RequestPlace.Nowhere); round++)
            {
                Assert.True(round < 1_000, "Something is stuck.");
                foreach (var worker in _workers.ToList())
                {
                    if (worker.Recalled is not null) Return(worker);
                    Begin(worker, int.MaxValue, skip: 0);
                    while (worker.Begun.Count > 0) Answer(worker, 0);
                    Check();
                }

                PassTime(Delay);
            }

            Assert.All(_admitted, r => Assert.True(_ends.ContainsKey(r.Id), $"{r} was lost."));
            Assert.Empty(_owed);
            Assert.Equal(0, _dispatcher.OutstandingRows);
            Assert.Equal(long.MaxValue, _dispatcher.NextWakeup);
        }

        private void End(TestRequest request, string how) =>
            Assert.True(_ends.TryAdd(request.Id, how), $"{request}: {how}, but was {_ends.GetValueOrDefault(request.Id)} before.");

        private FakeWorker? PickWorker(int n) => _workers.Count == 0 ? null : _workers[n % _workers.Count];
    }

    private sealed class FakeWorker
    {
        public WorkerSlot Slot { get; set; } = null!;

        public List<TestRequest> Unbegun { get; } = [];

        public List<TestRequest> Begun { get; } = [];

        public int? Recalled { get; set; }
    }
}
