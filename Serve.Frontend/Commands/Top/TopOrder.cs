using Serve.Management.Overview;

namespace Serve.Frontend.Commands.Top;

/// <summary>By what versions are sorted, and the key for it.</summary>
internal enum TopOrder
{
    /// <summary>By name and version (n).</summary>
    Name,

    /// <summary>Most requests first (r).</summary>
    Requests,

    /// <summary>Slowest first (p).</summary>
    P99,

    /// <summary>Longest queue first (w).</summary>
    Waiting,

    /// <summary>Least headroom first (h).</summary>
    Headroom,
}

/// <summary>A version and its model's name.</summary>
internal readonly record struct TopRow(string Model, OverviewVersion Version)
{
    public string Name => $"{Model}/{Version.Version}";

    /// <summary>All versions in an order; ties by name.</summary>
    public static List<TopRow> Of(OverviewBody overview, TopOrder order)
    {
        var rows = overview.Models.SelectMany(static model => model.Versions.Select(version => new TopRow(model.Name, version)));
        return order switch
        {
            TopOrder.Requests => [.. rows.OrderByDescending(static row => row.Version.RequestsPerSecond)],
            TopOrder.P99 => [.. rows.OrderByDescending(static row => row.Version.P99Ms ?? 0)],
            TopOrder.Waiting => [.. rows.OrderByDescending(static row => row.Version.Queue)],
            TopOrder.Headroom => [.. rows.OrderBy(static row => row.Version.HeadroomRatio ?? double.MaxValue)],
            _ => [.. rows],
        };
    }
}
