using System.Diagnostics;
using System.Globalization;

namespace Serve.Tests.Fuzzing;

/// <summary>
/// Runs a property over many random inputs. <c>TEST_FUZZ</c> says how many (a million is a night's work),
/// <c>TEST_SEED</c> where they begin: a failure names the seed that makes it again as the first input.
/// </summary>
internal static class FuzzRun
{
    // A busy machine may hold anything up a few times in a row; an input that hangs does it every time.
    private const int Tries = 20;

    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(1);

    /// <param name="inputs">How many inputs, where nobody says.</param>
    /// <param name="property">Makes an input by the numbers and throws if it is not dealt with as it should be.</param>
    public static void Run(int inputs, Action<Random> property)
    {
        var count = Setting("TEST_FUZZ") ?? inputs;
        var first = Setting("TEST_SEED") ?? Random.Shared.Next(int.MaxValue / 2);
        for (var i = 0; i < count; i++)
        {
            var seed = unchecked(first + i);
            try
            {
                if (!Enumerable.Range(0, Tries).Any(_ => IsFast(seed, property))) throw new TimeoutException($"It takes longer than {Hang.TotalSeconds} s.");
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"Input {i} fails; TEST_SEED={seed} makes it again. {error.GetType().Name}: {error.Message}", error);
            }
        }
    }

    private static bool IsFast(int seed, Action<Random> property)
    {
        var start = Stopwatch.GetTimestamp();
        property(new Random(seed));
        return Stopwatch.GetElapsedTime(start) < Hang;
    }

    private static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
