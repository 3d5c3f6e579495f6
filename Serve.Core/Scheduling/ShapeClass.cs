namespace Serve.Core.Scheduling;

/// <summary>The ready rows of one shape class, in the order in which batches take them.</summary>
internal sealed class ShapeClass(long key)
{
    public long Key { get; } = key;

    public IndexedHeap<FormerRow, InShape> Rows { get; } = new();

    /// <summary>How many rows of a batch they fill together.</summary>
    public int ReadyRows { get; set; }

    internal readonly struct InShape : IHeapOrder<FormerRow>
    {
        public static bool Before(FormerRow a, FormerRow b) => RowOrder.Before(a, b);

        public static ref int IndexOf(FormerRow item) => ref item.PlaceInShape;
    }
}
