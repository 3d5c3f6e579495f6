namespace Serve.Core.Scheduling;

/// <summary>The ready rows of one shape class, in the order in which batches take them.</summary>
internal sealed class ShapeClass(long key)
{
    public long Key { get; } = key;

    public IndexedHeap<FormerRow, InShape> Rows { get; } = new();

    internal readonly struct InShape : IHeapOrder<FormerRow>
    {
        public static bool Before(FormerRow a, FormerRow b) => RowOrder.Before(a, b);

        public static ref int IndexOf(FormerRow item) => ref item.PlaceInShape;
    }
}
