namespace Serve.Worker.Hosting;

/// <summary>Why a worker left.</summary>
internal static class ExitCodes
{
    /// <summary>The frontend said Stop.</summary>
    public const int Stopped = 0;

    /// <summary>The model could not be loaded; LoadFailed said why.</summary>
    public const int LoadFailed = 1;

    /// <summary>Wrong arguments or environment.</summary>
    public const int Usage = 2;

    /// <summary>The frontend is gone, or broke the protocol.</summary>
    public const int ConnectionEnded = 3;

    /// <summary>A defect: an exception that no request is to blame for.</summary>
    public const int Defect = 4;
}
