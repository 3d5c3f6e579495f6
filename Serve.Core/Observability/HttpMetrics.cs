using Prometheus;

namespace Serve.Core.Observability;

/// <summary>Counts what one listener answers.</summary>
public sealed class HttpMetrics
{
    private readonly Counter.Child[] _byClass = new Counter.Child[6];

    private readonly Counter.Child _unauthorized;

    internal HttpMetrics(Counter requests, Counter unauthorized, string listener)
    {
        _unauthorized = unauthorized.WithLabels(listener);
        for (var c = 1; c < _byClass.Length; c++) _byClass[c] = requests.WithLabels(listener, $"{c}xx");
    }

    /// <summary>A request was answered.</summary>
    /// <param name="status">Its HTTP status code.</param>
    public void Answered(int status) => _byClass[Math.Clamp(status / 100, 1, 5)].Inc();

    /// <summary>How many answers there were so far.</summary>
    /// <param name="firstDigit">Of their status code.</param>
    public double Count(int firstDigit) => _byClass[firstDigit].Value;

    /// <summary>A request was refused because it had no valid token.</summary>
    public void Unauthorized() => _unauthorized.Inc();
}
