using System.Runtime.InteropServices;
using CsCheck;
using Serve.Core.Handlers;
using Serve.Worker.Execution;

namespace Serve.Tests.Worker.Execution;

/// <summary>Where rows lie, and what becomes of them when a batch closes. The device is played by the test: y = 2x + 1, slot by slot.</summary>
public sealed class SlabTests
{
    private const int BatchSize = 6;

    private static readonly ModelSignature Fixed = new(
        [new TensorInfo("x", TensorElement.Int64, [-1, 2]), new TensorInfo("k", TensorElement.Int32, [-1])],
        [new TensorInfo("y", TensorElement.Int64, [-1, 2])],
        RowBatching.Dynamic);

    [Fact]
    public void Every_request_gets_the_output_of_its_own_row_whatever_is_taken_failed_cancelled_and_closed() =>
        Gen.Select(Gen.Int[0, 99], Gen.Int[0, 1000]).Array[1, 150].Sample(
            static history =>
            {
                using var world = new World();
                foreach (var (kind, a) in history) world.Step(kind, a);
                world.Finish();
            },
            iter: 3_000);

    [Fact]
    public void A_batch_of_rows_that_were_decoded_one_after_the_other_is_executed_where_it_lies()
    {
        using var world = new World();
        var rows = world.Add(1, 1, 1, 1, 1, 1);

        world.Execute(rows);

        Assert.Equal(0, world.Slabs.CopiedRows);
    }

    [Fact]
    public void Full_batches_stay_in_place_although_one_of_three_rows_preceded_them()
    {
        using var world = new World();
        world.Begin(world.Add(1, 1, 1));
        for (var i = 0; i < 10; i++)
        {
            var next = world.Add(1, 1, 1, 1, 1, 1);
            world.Answer();
            world.Begin(next);
        }

        Assert.Equal(0, world.Slabs.CopiedRows);
    }

    [Fact]
    public void The_gap_of_a_failed_row_is_filled_by_one_row_and_no_more()
    {
        using var world = new World();
        var rows = world.Add(1, 1, 1, 1, 1);
        World.Fail(rows[1]);

        world.Execute([rows[0], rows[2], rows[3], rows[4]]);

        Assert.Equal(1, world.Slabs.CopiedRows);
    }

    [Fact]
    public void A_row_that_was_decoded_late_is_the_only_one_to_move()
    {
        using var world = new World();
        var first = world.Add(1, 1, 1, 1);
        var late = first[1];
        world.Execute([first[0]]);
        world.Execute([first[2], first[3]]);
        var next = world.Add(1, 1);

        world.Execute([late, .. next]);

        Assert.InRange(world.Slabs.CopiedRows, 0, 1);
    }

    [Fact]
    public void Rows_around_one_that_is_still_decoded_are_copied_to_where_they_are_neighbours()
    {
        using var world = new World();
        var rows = world.Add(1, 1, 1, 1, 1, 1);

        world.Execute([rows[0], rows[1], rows[3], rows[4], rows[5]]);
        world.Execute([rows[2]]);

        Assert.Equal(5, world.Slabs.CopiedRows);
    }

    [Fact]
    public void A_request_of_several_rows_has_them_beside_each_other()
    {
        using var world = new World();
        var rows = world.Add(4, 3, 2, 1);

        world.Execute([rows[0], rows[2]]);
        world.Execute([rows[1], rows[3]]);
    }

    [Fact]
    public void A_handler_that_changes_its_mind_about_the_shape_keeps_what_it_wrote()
    {
        using var slabs = new SlabPools(Fixed, BatchSize, 1, RowMemory.Allocate);
        using var row = new BatchRow(Fixed, BatchSize, slabs);
        row.Inputs.Allocate<long>("x", 2).Fill(7);
        Assert.True(row.Inputs.IsPlaced);

        row.Inputs.Rows = 2;
        row.Inputs.Allocate<int>("k", 2).Fill(1);

        Assert.False(row.Inputs.IsPlaced);
        Assert.Equal([7, 7], MemoryMarshal.Cast<byte, long>(row.Inputs.Slots[0].Bytes).ToArray());
    }

    [Fact]
    public void Shapes_that_requests_choose_have_slabs_of_their_own_and_only_so_many()
    {
        var signature = new ModelSignature([new TensorInfo("x", TensorElement.Float32, [-1, -1])], [new TensorInfo("y", TensorElement.Float32, [-1, -1])], RowBatching.Dynamic);
        using var slabs = new SlabPools(signature, BatchSize, 1, RowMemory.Allocate);
        var rows = Enumerable.Range(1, 20).Select(width =>
        {
            var row = new BatchRow(signature, BatchSize, slabs);
            row.Inputs.Allocate<float>("x", width);
            return row;
        }).ToArray();

        Assert.Equal(8, rows.Count(row => row.Inputs.IsPlaced));
        foreach (var row in rows) row.Clear();
        rows[19].Inputs.Allocate<float>("x", 1000);
        Assert.True(rows[19].Inputs.IsPlaced); // an idle shape made room
        foreach (var row in rows) row.Dispose();
    }

    [Fact]
    public void Shapes_that_requests_choose_have_so_many_bytes_of_slabs_together()
    {
        // Nobody touches the memory, so it takes none.
        var signature = new ModelSignature([new TensorInfo("x", TensorElement.UInt8, [-1, -1])], [new TensorInfo("y", TensorElement.UInt8, [-1, -1])], RowBatching.Dynamic);
        long allocated = 0;
        using var slabs = new SlabPools(signature, slabRows: 2, instances: 4, bytes =>
        {
            allocated += bytes;
            return RowMemory.Allocate(bytes);
        });
        using var tooLarge = Row(129 << 20);
        Assert.False(tooLarge.Inputs.IsPlaced); // a slab of two would be more than 256 MiB

        var rows = Enumerable.Range(0, 30).Select(i => Row((100 << 20) + (i % 3))).ToArray();
        Assert.Equal(10, rows.Count(row => row.Inputs.IsPlaced)); // five slabs of two
        Assert.InRange(allocated, 1, 1 << 30);
        foreach (var row in rows) row.Clear();

        // What nobody uses makes room for another shape.
        using var other = Row(99 << 20);
        Assert.True(other.Inputs.IsPlaced);
        foreach (var row in rows) row.Dispose();

        BatchRow Row(int bytes)
        {
            var row = new BatchRow(signature, maxRows: 2, slabs);
            row.Inputs.Allocate("x", bytes);
            return row;
        }
    }

    [Fact]
    public void A_burst_of_many_strings_counts_among_what_a_row_keeps()
    {
        var signature = new ModelSignature([new TensorInfo("x", TensorElement.String, [-1, -1])], [new TensorInfo("y", TensorElement.String, [-1, -1])], RowBatching.Dynamic);
        using var row = new BatchRow(signature, BatchSize);
        row.Inputs.SetStrings("x", new string[1_000_000], 1_000_000);
        row.Clear();

        Assert.InRange(row.Inputs.CapacityBytes, 1_000_000 * IntPtr.Size, 2_000_000 * IntPtr.Size);
    }

    [Fact]
    public void Page_locked_memory_that_is_not_there_is_no_error() =>
        Assert.Null(RowMemory.TryAllocatePinned(Microsoft.ML.OnnxRuntime.OrtAllocator.DefaultInstance, Microsoft.ML.OnnxRuntime.OrtMemoryInfo.DefaultInstance, 1L << 60));

    [Fact]
    public void Strings_have_no_slabs()
    {
        var signature = new ModelSignature([new TensorInfo("x", TensorElement.String, [-1, 2])], Fixed.Outputs, RowBatching.Dynamic);
        using var slabs = new SlabPools(signature, BatchSize, 1, RowMemory.Allocate);
        using var row = new BatchRow(signature, BatchSize, slabs);

        row.Inputs.SetStrings("x", ["a", "b"], 2);

        Assert.False(row.Inputs.IsPlaced);
        Assert.Equal(["a", "b"], row.Inputs.Slots[0].Strings.ToArray());
    }

    /// <summary>A worker's rows, from decoding to the answer.</summary>
    private sealed class World : IDisposable
    {
        private readonly List<Row> _decoding = [];
        private readonly List<Row> _ready = [];
        private readonly List<List<Row>> _begun = [];
        private long _next;

        public SlabPools Slabs { get; } = new(Fixed, BatchSize, instances: 2, RowMemory.Allocate);

        public void Step(int kind, int a)
        {
            switch (kind)
            {
                case < 35:
                    Begin(a % 9 == 0 ? 1 + (a % 5) : 1);
                    break;
                case < 60 when _decoding.Count > 0:
                    var decoded = Pick(_decoding, a);
                    decoded.Write();
                    _ready.Add(decoded);
                    break;
                case < 66 when _decoding.Count > 0:
                    Pick(_decoding, a).Release();
                    break;
                case < 70 when _ready.Count > 0:
                    Pick(_ready, a).Release();
                    break;
                case < 85:
                    Close(a);
                    break;
                case < 96 when _begun.Count > 0:
                    AnswerOne(a % _begun.Count);
                    break;
            }
        }

        public void Finish()
        {
            while (_decoding.Count > 0) Pick(_decoding, 0).Release();
            while (_ready.Count > 0) Close(1);
            Answer();
        }

        public List<Row> Add(params int[] rows)
        {
            List<Row> added = [];
            foreach (var count in rows)
            {
                var row = new Row(this, count);
                row.Write();
                added.Add(row);
            }

            return added;
        }

        public static void Fail(Row row) => row.Release();

        public void Execute(List<Row> rows)
        {
            Begin(rows);
            Answer();
        }

        public void Begin(List<Row> rows)
        {
            Run(rows);
            _begun.Add(rows);
        }

        public void Answer()
        {
            while (_begun.Count > 0) AnswerOne(0);
        }

        public void Dispose() => Slabs.Dispose();

        public long NextValue() => ++_next;

        private void Begin(int rows) => _decoding.Add(new Row(this, rows));

        // Any of the ready rows, in any order, as far as they fit.
        private void Close(int a)
        {
            List<Row> batch = [];
            var total = 0;
            while (_ready.Count > 0 && _begun.Count < 6)
            {
                var row = _ready[a % _ready.Count];
                if (total + row.Count > BatchSize) break;
                _ready.Remove(row);
                batch.Add(row);
                total += row.Count;
                if (a % 4 == 0) break;
            }

            if (batch.Count == 0)
            {
                Answer();
                return;
            }

            Begin(batch);
        }

        private static void Run(List<Row> rows)
        {
            var total = rows.Sum(row => row.Count);
            var place = rows[0].Of.Place.Slab.Pool.Pack([.. rows.Select(row => row.Of)], total);
            Assert.Equal(total, place.Rows);
            for (var slot = place.First; slot < place.First + total; slot++) Compute(place.Slab, slot);
            foreach (var row in rows)
            {
                Assert.True(place.Contains(row.Of.Place));
                row.Of.Outputs.Bind(row.Of.Place);
            }
        }

        private static unsafe void Compute(RowSlab slab, int slot)
        {
            var x = (long*)slab.InputAddress(0, slot);
            var k = (int*)slab.InputAddress(1, slot);
            var y = (long*)slab.OutputAddress(0, slot);
            for (var i = 0; i < 2; i++) y[i] = (2 * x[i]) + *k;
        }

        private void AnswerOne(int index)
        {
            var rows = _begun[index];
            _begun.RemoveAt(index);
            foreach (var row in rows) row.Check();
            foreach (var row in rows) row.Release();
        }

        private static Row Pick(List<Row> rows, int a)
        {
            var row = rows[a % rows.Count];
            rows.Remove(row);
            return row;
        }
    }

    private sealed class Row
    {
        private readonly World _world;
        private long[] _values = [];

        public Row(World world, int count)
        {
            (_world, Count) = (world, count);
            Of = new BatchRow(Fixed, BatchSize, world.Slabs);
            Of.Inputs.Rows = count;
            Allocate(); // decoding has begun: it has its slots and will write them
        }

        public BatchRow Of { get; }

        public int Count { get; }

        public void Write()
        {
            _values = [.. Enumerable.Range(0, 2 * Count).Select(_ => _world.NextValue())];
            _values.CopyTo(Allocate());
            Of.Inputs.Allocate<int>("k", Count == 1 ? [] : [Count]).Fill(1);
            Of.Inputs.Complete();
            Assert.True(Of.Inputs.IsPlaced);
        }

        public void Check() => Assert.Equal(_values.Select(value => (2 * value) + 1), Of.Outputs.Elements<long>("y").ToArray());

        public void Release()
        {
            Of.Clear();
            Of.Dispose();
        }

        private Span<long> Allocate() => Of.Inputs.Allocate<long>("x", Count == 1 ? [2] : [Count, 2]);
    }
}
