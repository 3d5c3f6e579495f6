using System.Globalization;
using Serve.Core.Tracing;

namespace Serve.Frontend.Tracing;

/// <summary>
/// Decides which requests are traced, before anything is made for them: as the client has decided (W3C Trace Context), else
/// so many of all, chosen by their trace's id as OpenTelemetry's <c>TraceIdRatioBased</c> chooses. Hot path: nothing is
/// allocated for a request that is not sampled.
/// </summary>
internal sealed class RequestSampler
{
    // "00-" trace id "-" span id "-" flags.
    private const int ParentLength = 55;

    // The bound of a server that traces nothing, whatever its clients decide.
    private const long Off = -1;

    private readonly bool _followsParent;
    private long _bound;
    private long _left = -1;

    /// <param name="ratio">The share of requests, 0 to 1.</param>
    /// <param name="followsParent">Whether the client's decision counts.</param>
    public RequestSampler(double ratio, bool followsParent)
    {
        _followsParent = followsParent;
        Ratio = ratio;
    }

    /// <summary>The share of requests that is traced where nobody has decided; null: none is traced, whoever decides. Can be changed at any time.</summary>
    public double? Ratio
    {
        get => Volatile.Read(ref _bound) is not Off and var bound ? bound / (double)long.MaxValue : null;
        set => Volatile.Write(ref _bound, value switch { null => Off, >= 1 => long.MaxValue, { } ratio => (long)(ratio * long.MaxValue) });
    }

    /// <summary>How many more requests are traced; -1: any number.</summary>
    public long Left
    {
        get => Math.Max(-1, Interlocked.Read(ref _left));
        set => Interlocked.Exchange(ref _left, value);
    }

    /// <summary>Decides.</summary>
    /// <param name="traceParent">The request's header, or null.</param>
    /// <param name="traceState">The header that belongs to it, or null.</param>
    /// <param name="parent">What the request's span belongs to: the client's span, or a trace of its own.</param>
    public bool IsSampled(string? traceParent, string? traceState, out TraceParent parent)
    {
        parent = default;
        if (Volatile.Read(ref _bound) == Off) return false;
        if (traceParent is not null && IsWellFormed(traceParent))
        {
            if (!(_followsParent ? IsFlagged(traceParent) : IsChosen(long.Parse(traceParent.AsSpan(3, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))) || !TakeOne()) return false;
            parent = new TraceParent(
                UInt128.Parse(traceParent.AsSpan(3, 32), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                ulong.Parse(traceParent.AsSpan(36, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                traceState);
            return true;
        }

        var first = Random.Shared.NextInt64();
        if (!IsChosen(first) || !TakeOne()) return false;
        parent = new TraceParent(new UInt128((ulong)first, (ulong)Random.Shared.NextInt64(1, long.MaxValue)), 0, null);
        return true;
    }

    private bool IsChosen(long firstHalf)
    {
        var bound = Volatile.Read(ref _bound);
        return bound == long.MaxValue || (firstHalf & long.MaxValue) < bound;
    }

    // Of a number that is limited; the last ones are taken only once.
    private bool TakeOne()
    {
        while (true)
        {
            var left = Interlocked.Read(ref _left);
            if (left < 0) return true;
            if (left == 0) return false;
            if (Interlocked.CompareExchange(ref _left, left - 1, left) == left) return true;
        }
    }

    private static bool IsFlagged(string traceParent) => (Digit(traceParent[54]) & 1) != 0;

    // Of later versions what is known of this one is taken; they may have more.
    private static bool IsWellFormed(string text)
    {
        if (text.Length < ParentLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
        if (text[0] == '0' && text[1] == '0' ? text.Length != ParentLength : text.Length > ParentLength && text[ParentLength] != '-') return false;
        if (text is ['f', 'f', ..]) return false;
        return AreDigits(text.AsSpan(0, 2), out _) && AreDigits(text.AsSpan(3, 32), out var hasTrace) && hasTrace && AreDigits(text.AsSpan(36, 16), out var hasSpan) && hasSpan && AreDigits(text.AsSpan(53, 2), out _);
    }

    private static bool AreDigits(ReadOnlySpan<char> text, out bool isNotZero)
    {
        isNotZero = false;
        foreach (var letter in text)
        {
            if (Digit(letter) is not (>= 0 and var digit)) return false;
            isNotZero |= digit != 0;
        }

        return true;
    }

    // Lower case only, as the specification says.
    private static int Digit(char letter) => letter switch
    {
        >= '0' and <= '9' => letter - '0',
        >= 'a' and <= 'f' => letter - 'a' + 10,
        _ => -1,
    };
}
