namespace Serve.LoadGenerator.Load;

/// <summary>How a request ended without an answer.</summary>
public enum LoadFault
{
    /// <summary>Nobody listens there.</summary>
    Refused,

    /// <summary>The connection was closed or reset before the answer was complete.</summary>
    Closed,

    /// <summary>The answer did not come in time.</summary>
    Timeout,

    /// <summary>What came was no HTTP response.</summary>
    Malformed,
}
