namespace Serve.Tests.EndToEnd;

/// <summary>Waits for what only asking can tell: another process's end, a worker's replacement.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Asks again and again until the answer is right.</summary>
    /// <param name="what">What is waited for, for the message when it does not come.</param>
    /// <param name="ask">The question.</param>
    /// <param name="isRight">Whether the answer is the one that is waited for.</param>
    public static async Task<T> BecomesAsync<T>(string what, Func<Task<T>> ask, Func<T, bool> isRight)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var again = new PeriodicTimer(Interval);
        while (true)
        {
            var answer = await ask();
            if (isRight(answer)) return answer;
            try
            {
                await again.WaitForNextTickAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Within {Patience.TotalSeconds} s it did not come to this: {what}. The last answer was {answer}.");
            }
        }
    }

    /// <summary>Waits until a fact holds.</summary>
    public static Task HoldsAsync(string what, Func<bool> holds) => BecomesAsync(what, () => Task.FromResult(holds()), isThere => isThere);
}
