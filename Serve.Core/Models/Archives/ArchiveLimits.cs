namespace Serve.Core.Models.Archives;

/// <summary>What an archive may contain at most. Checked on what it declares before anything is written, and again on what really comes.</summary>
public sealed record ArchiveLimits
{
    /// <summary>The most entries.</summary>
    public int MaxEntries { get; init; } = 10_000;

    /// <summary>The most bytes of one file, unpacked.</summary>
    public long MaxEntryBytes { get; init; } = 64L << 30;

    /// <summary>The most bytes of all files, unpacked.</summary>
    public long MaxTotalBytes { get; init; } = 128L << 30;

    /// <summary>How much larger than packed a file may be unpacked; weights hardly compress, bombs do a thousandfold.</summary>
    public int MaxRatio { get; init; } = 200;

    /// <summary>Files up to this size, unpacked, may have any ratio: text and zeros compress well.</summary>
    public long FreeRatioBytes { get; init; } = 16L << 20;
}
