using Serve.LoadGenerator.Http;

namespace Serve.LoadGenerator.Load;

/// <summary>One of the clients that a <see cref="LoadThread"/> plays, with its connection.</summary>
/// <param name="connection">Open or not.</param>
internal sealed class LoadClient(LoadConnection connection)
{
    public LoadConnection Connection { get; } = connection;

    /// <summary>Whether a request is its to send or to wait for.</summary>
    public bool HasRequest { get; set; }

    /// <summary>Whether the poller watches its connection.</summary>
    public bool IsWatched { get; set; }

    /// <summary>What it asked for last, as an index.</summary>
    public int Target { get; set; }

    /// <summary>From when the latency counts; in a closed loop 0 until the request is sent.</summary>
    public long Scheduled { get; set; }

    /// <summary>Since when it connects, or waits for the answer.</summary>
    public long Since { get; set; }

    /// <summary>When to try again to connect; 0: not.</summary>
    public long ConnectAfter { get; set; }
}
