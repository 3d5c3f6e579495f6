namespace Serve.Core.Configuration;

/// <summary>Paths that come from files of models: they must stay inside the model's folder.</summary>
internal static class RelativePath
{
    private const int MaxLength = 1024;
    private const int MaxDepth = 16;

    /// <summary>Of Linux, and nearly of all file systems.</summary>
    private const int MaxSegmentBytes = 255;

    /// <summary>What is wrong with a path that should name something inside a folder; null if nothing is.</summary>
    /// <remarks>
    /// Refuses what any file system could read as a way out, whichever system runs: absolute paths, drives and streams
    /// (<c>:</c>), <c>..</c>, backslashes, empty segments, and names that Windows changes (a dot or blank at the end).
    /// </remarks>
    public static string? Fault(string path)
    {
        if (path.Length == 0) return "is empty";
        if (path.Length > MaxLength) return $"is longer than {MaxLength} characters";
        if (path.Any(char.IsControl)) return "contains control characters";
        if (path.Contains('\\', StringComparison.Ordinal)) return "contains a backslash; separate folders by /";
        if (path.Contains(':', StringComparison.Ordinal)) return "contains a colon";
        if (path[0] == '/') return "is absolute";

        var segments = path.Split('/');
        if (segments.Length > MaxDepth) return $"is deeper than {MaxDepth} folders";
        foreach (var segment in segments)
        {
            if (segment.Length == 0) return "has an empty segment";
            if (System.Text.Encoding.UTF8.GetByteCount(segment) > MaxSegmentBytes) return $"has a segment of more than {MaxSegmentBytes} bytes";
            if (segment is "." or "..") return $"contains the segment {segment}";
            if (segment[^1] is '.' or ' ') return "has a segment that ends in a dot or a blank";
        }

        return null;
    }
}
