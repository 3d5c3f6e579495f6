using System.Net;

namespace Serve.LoadGenerator.Load;

/// <summary>A load: what is asked for, where, and how.</summary>
public sealed record LoadOptions
{
    /// <summary>The server.</summary>
    public required EndPoint Server { get; init; }

    /// <summary>What is asked for.</summary>
    public required IReadOnlyList<LoadTarget> Targets { get; init; }

    /// <summary>Closed loop: so many clients, each of which sends its next request when its last one is answered. 0 for an open loop.</summary>
    public int Clients { get; init; }

    /// <summary>Open loop: so many requests arrive per second, by chance, whatever becomes of those before. 0 for a closed loop.</summary>
    public double ArrivalsPerSecond { get; init; }

    /// <summary>Decides when requests of an open loop arrive.</summary>
    public int Seed { get; init; }

    /// <summary>Open loop: the most connections. Requests that arrive while all are busy wait for one, and that time counts.</summary>
    public int MostConnections { get; init; } = 1024;

    /// <summary>An answer that takes longer is an error, and its connection is closed.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Answers that take longer than this are not good ones; null: all are.</summary>
    public TimeSpan? Objective { get; init; }

    /// <summary>Threads that send and receive; each has its part of the clients or arrivals.</summary>
    public int Threads { get; init; } = 1;
}
