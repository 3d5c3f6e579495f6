using System.Runtime.InteropServices;

namespace Serve.Core.Memory;

/// <summary>
/// Which ranges of a memory are free: the first that is long enough is taken, so that what is in use stays at the beginning
/// and in the processor's cache. Not safe from several threads. Hot path: allocates nothing once its list has grown.
/// </summary>
internal sealed class RangeAllocator
{
    // Sorted, and none touches the next.
    private readonly List<Range> _free = [];
    private readonly int _length;

    /// <param name="length">Of the memory.</param>
    public RangeAllocator(int length)
    {
        _length = length;
        _free.Add(new Range(0, length));
    }

    /// <summary>The end of what is taken.</summary>
    public int End => _free is [.., var last] && last.Start + last.Length == _length ? last.Start : _length;

    /// <summary>Takes a range.</summary>
    /// <param name="length">Its length, at least 1.</param>
    /// <returns>Where it begins; −1: no free range is long enough.</returns>
    public int Take(int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        foreach (ref var range in CollectionsMarshal.AsSpan(_free))
        {
            if (range.Length < length) continue;
            var start = range.Start;
            range = new Range(start + length, range.Length - length);
            if (range.Length == 0) _free.RemoveAt(IndexAfter(start));
            return start;
        }

        return -1;
    }

    /// <summary>Gives a range back, whole.</summary>
    /// <param name="start">As <see cref="Take"/> said.</param>
    /// <param name="length">As it was taken.</param>
    public void Return(int start, int length)
    {
        var at = IndexAfter(start);
        var (end, joinsNext) = (start + length, at < _free.Count && _free[at].Start == start + length);
        if (joinsNext)
        {
            end += _free[at].Length;
            _free.RemoveAt(at);
        }

        if (at > 0 && _free[at - 1] is var before && before.Start + before.Length == start) _free[at - 1] = before with { Length = end - before.Start };
        else _free.Insert(at, new Range(start, end - start));
    }

    // Of the first free range that begins at or behind it.
    private int IndexAfter(int start)
    {
        var (from, to) = (0, _free.Count);
        while (from < to)
        {
            var middle = (from + to) / 2;
            if (_free[middle].Start < start) from = middle + 1;
            else to = middle;
        }

        return from;
    }

    private readonly record struct Range(int Start, int Length);
}
