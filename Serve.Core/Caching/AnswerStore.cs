namespace Serve.Core.Caching;

/// <summary>The answers that are kept, the last used first, in bounded memory. Its owner's lock guards it.</summary>
/// <param name="mostBytes">The most that all of them may take.</param>
internal sealed class AnswerStore(long mostBytes)
{
    private readonly Dictionary<CacheKey, LinkedListNode<(CacheKey Key, CachedAnswer Answer)>> _answers = [];
    private readonly LinkedList<(CacheKey Key, CachedAnswer Answer)> _byUse = [];

    /// <summary>What they take.</summary>
    public long SizeBytes { get; private set; }

    /// <summary>How many there are.</summary>
    public int Count => _answers.Count;

    /// <summary>The answer to a request, used now; null: there is none.</summary>
    public CachedAnswer? Find(in CacheKey key)
    {
        if (!_answers.TryGetValue(key, out var found)) return null;
        _byUse.Remove(found);
        _byUse.AddFirst(found);
        return found.Value.Answer;
    }

    /// <summary>Keeps an answer, and lets those go that were not used for longest. One that has no room is not kept.</summary>
    /// <returns>How many had to go.</returns>
    public int Add(in CacheKey key, CachedAnswer answer)
    {
        if (answer.SizeBytes > mostBytes || _answers.ContainsKey(key)) return 0;
        _answers[key] = _byUse.AddFirst((key, answer));
        SizeBytes += answer.SizeBytes;
        var gone = 0;
        while (SizeBytes > mostBytes && _byUse.Last is { } oldest)
        {
            _byUse.Remove(oldest);
            _answers.Remove(oldest.Value.Key);
            SizeBytes -= oldest.Value.Answer.SizeBytes;
            gone++;
        }

        return gone;
    }
}
