namespace Serve.Core.Scheduling;

/// <summary>An item's neighbours in one list.</summary>
internal struct Links<T>
    where T : class
{
    public T? Previous;
    public T? Next;
}

/// <summary>Where an item keeps its links for one list; an item can be in as many lists as it has links.</summary>
internal interface ILinksOf<T>
    where T : class
{
    static abstract ref Links<T> Of(T item);
}

/// <summary>A list linked through its items: no allocation, removal from anywhere.</summary>
internal sealed class IntrusiveList<T, TLinks>
    where T : class
    where TLinks : struct, ILinksOf<T>
{
    public T? First { get; private set; }

    public T? Last { get; private set; }

    public void Append(T item)
    {
        TLinks.Of(item) = new Links<T> { Previous = Last };
        if (Last is { } last) TLinks.Of(last).Next = item;
        else First = item;
        Last = item;
    }

    public void Remove(T item)
    {
        ref var links = ref TLinks.Of(item);
        if (links.Previous is { } previous) TLinks.Of(previous).Next = links.Next;
        else First = links.Next;
        if (links.Next is { } next) TLinks.Of(next).Previous = links.Previous;
        else Last = links.Previous;
        links = default;
    }
}
