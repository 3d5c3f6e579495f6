namespace Serve.Worker.BuiltIn;

/// <summary>The classes with the largest scores.</summary>
internal static class TopClasses
{
    /// <summary>Fills <paramref name="best"/> with the indices of the largest scores, descending; of equal ones the first comes first.</summary>
    public static void Select(ReadOnlySpan<float> scores, Span<int> best)
    {
        var count = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            if (count == best.Length && (count == 0 || !(scores[i] > scores[best[count - 1]]))) continue;

            var at = count < best.Length ? count++ : count - 1;
            for (; at > 0 && scores[i] > scores[best[at - 1]]; at--) best[at] = best[at - 1];
            best[at] = i;
        }
    }
}
