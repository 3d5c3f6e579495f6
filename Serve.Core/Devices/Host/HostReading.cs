namespace Serve.Core.Devices.Host;

/// <summary>What the operating system says of the machine at one moment. What it does not tell is null.</summary>
public sealed record HostReading
{
    /// <summary>Share of all processors' time that was used since the reading before, 0 to 1. In a container the whole machine's.</summary>
    public double? CpuUtilization { get; init; }

    /// <summary>Memory of the machine, in bytes.</summary>
    public long? MemoryTotalBytes { get; init; }

    /// <summary>Memory in use, without what only caches files, in bytes.</summary>
    public long? MemoryUsedBytes { get; init; }

    /// <summary>Memory that programs could still have, in bytes.</summary>
    public long? MemoryAvailableBytes { get; init; }

    /// <summary>Space in use on the disk of the root folder, in bytes.</summary>
    public long? DiskUsedBytes { get; init; }

    /// <summary>Space there that this user could still fill, in bytes.</summary>
    public long? DiskAvailableBytes { get; init; }
}
