namespace Serve.Core.Observability;

/// <summary>
/// What became of the responses of a decoupled model, whose requests have any number of them: of all first ones, of all
/// second ones, and so on. Safe from any thread.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class ResponseStatistics(TimeProvider time)
{
    /// <summary>Responses that are told apart; those after them are not counted.</summary>
    public const int MostResponses = 1024;

    private readonly Lock _gate = new();
    private readonly List<ResponseTallies> _responses = [];

    /// <summary>Now, as a timestamp for the others.</summary>
    internal long Now => time.GetTimestamp();

    /// <summary>What was counted so far, the first responses first.</summary>
    public IReadOnlyList<ResponseTallies> Read()
    {
        lock (_gate) return [.. _responses];
    }

    /// <summary>A response was made and written.</summary>
    /// <param name="index">Which of its request's.</param>
    /// <param name="from">When the one before it was written, or the request came to a worker.</param>
    /// <param name="made">When it was there.</param>
    /// <param name="written">When its client had taken it.</param>
    internal void Succeeded(int index, long from, long made, long written) => Count(index, tallies => tallies with
    {
        Infer = Add(tallies.Infer, from, made),
        Output = Add(tallies.Output, made, written),
        Success = Add(tallies.Success, from, written),
    });

    /// <summary>The request failed where a response would have come.</summary>
    internal void Failed(int index, long from, long to) => Count(index, tallies => tallies with { Infer = Add(tallies.Infer, from, to), Fail = Add(tallies.Fail, from, to) });

    /// <summary>The request ended where a response could have come.</summary>
    internal void Ended(int index, long from, long to) => Count(index, tallies => tallies with { Infer = Add(tallies.Infer, from, to), Empty = Add(tallies.Empty, from, to) });

    /// <summary>The client left before it had taken the response.</summary>
    internal void Cancelled(int index, long from, long to) => Count(index, tallies => tallies with { Cancel = Add(tallies.Cancel, from, to) });

    private void Count(int index, Func<ResponseTallies, ResponseTallies> count)
    {
        if (index >= MostResponses) return;
        lock (_gate)
        {
            while (_responses.Count <= index) _responses.Add(default);
            _responses[index] = count(_responses[index]);
        }
    }

    private Tally Add(in Tally tally, long from, long to) => new(tally.Count + 1, tally.Time + time.GetElapsedTime(from, Math.Max(from, to)));
}

/// <summary>The responses of one place in the answers of a decoupled model.</summary>
/// <param name="Infer">Making them, or waiting for what did not come.</param>
/// <param name="Output">Until their clients had taken them.</param>
/// <param name="Success">Both, of responses that were taken.</param>
/// <param name="Fail">Failures in their place.</param>
/// <param name="Empty">Ends of answers in their place.</param>
/// <param name="Cancel">Clients that left instead of taking them.</param>
public readonly record struct ResponseTallies(Tally Infer, Tally Output, Tally Success, Tally Fail, Tally Empty, Tally Cancel);
