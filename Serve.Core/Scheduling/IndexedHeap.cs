namespace Serve.Core.Scheduling;

/// <summary>The order of a heap, and where an item remembers its place in it.</summary>
internal interface IHeapOrder<T>
{
    static abstract bool Before(T a, T b);

    /// <summary>The item's place in the heap; −1: not there.</summary>
    static abstract ref int IndexOf(T item);
}

/// <summary>
/// A binary heap whose items know their places, so that any of them can leave in logarithmic time. What is added in order
/// stays where it is put. Allocates only to grow.
/// </summary>
internal sealed class IndexedHeap<T, TOrder>
    where T : class
    where TOrder : struct, IHeapOrder<T>
{
    private T?[] _items = new T?[16];

    public int Count { get; private set; }

    public T? First => _items[0];

    public void Add(T item)
    {
        if (Count == _items.Length) Array.Resize(ref _items, 2 * Count);
        SiftUp(Count++, item);
    }

    /// <summary>Takes an item out; nothing happens when it is not there.</summary>
    public void Remove(T item)
    {
        ref var place = ref TOrder.IndexOf(item);
        if (place < 0) return;

        var index = place;
        place = -1;
        var last = _items[--Count]!;
        _items[Count] = null;
        if (index == Count) return;

        if (index > 0 && TOrder.Before(last, _items[(index - 1) / 2]!)) SiftUp(index, last);
        else SiftDown(index, last);
    }

    private void SiftUp(int index, T item)
    {
        while (index > 0)
        {
            var parent = (index - 1) / 2;
            if (!TOrder.Before(item, _items[parent]!)) break;
            Put(index, _items[parent]!);
            index = parent;
        }

        Put(index, item);
    }

    private void SiftDown(int index, T item)
    {
        while (true)
        {
            var child = 2 * index + 1;
            if (child >= Count) break;
            if (child + 1 < Count && TOrder.Before(_items[child + 1]!, _items[child]!)) child++;
            if (!TOrder.Before(_items[child]!, item)) break;
            Put(index, _items[child]!);
            index = child;
        }

        Put(index, item);
    }

    private void Put(int index, T item)
    {
        _items[index] = item;
        TOrder.IndexOf(item) = index;
    }
}
