using Serve.Core.Errors;

namespace Serve.Core.Models.Repository;

/// <summary>Which versions of a model are served; others of it are unloaded. As Triton's <c>version_policy</c>.</summary>
public sealed class VersionPolicy
{
    private VersionPolicy(int count) => Count = count;

    private VersionPolicy(IReadOnlyList<string> versions) => Versions = versions;

    /// <summary>At most how many, the highest ones; it means nothing where versions are named.</summary>
    public int Count { get; }

    /// <summary>Those that are named; empty: as many as <see cref="Count"/> says.</summary>
    public IReadOnlyList<string> Versions { get; } = [];

    /// <summary>All that there are.</summary>
    public static VersionPolicy All { get; } = new(int.MaxValue);

    /// <summary>The highest ones.</summary>
    /// <param name="count">How many.</param>
    public static VersionPolicy Latest(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return new VersionPolicy(count);
    }

    /// <summary>These.</summary>
    /// <param name="versions">At least one.</param>
    public static VersionPolicy Specific(IReadOnlyList<string> versions)
    {
        ArgumentNullException.ThrowIfNull(versions);
        ArgumentOutOfRangeException.ThrowIfZero(versions.Count);
        return new VersionPolicy(versions);
    }

    /// <summary>Whether a version is not left out whatever others there are.</summary>
    /// <param name="version">The version.</param>
    public bool Allows(string version) => Versions.Count == 0 || Versions.Contains(version);

    /// <summary>Those of the versions that there are, the lowest first.</summary>
    /// <param name="known">In any order; one may stand twice.</param>
    /// <exception cref="ModelNotFoundException">One that was named is not among them, or there are none.</exception>
    public IReadOnlyList<string> Choose(IEnumerable<string> known)
    {
        List<string> sorted = [.. known.Distinct(StringComparer.Ordinal).Order(VersionOrder.Instance)];
        if (sorted.Count == 0) throw new ModelNotFoundException("it is not in the model store");
        if (Versions.Count == 0) return sorted[^Math.Min(Count, sorted.Count)..];
        if (Versions.FirstOrDefault(version => !sorted.Contains(version)) is { } missing) throw new ModelNotFoundException($"its version {missing} is not in the model store");
        return [.. sorted.Where(Versions.Contains)];
    }
}
