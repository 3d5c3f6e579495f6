using System.Diagnostics;
using System.Text.Json;

namespace Serve.Benchmarks.Processes;

/// <summary>A run of <c>serve tune</c>, as a user starts it, with measurements of its own that nothing else uses.</summary>
internal static class ServeTune
{
    /// <summary>Tunes a model and waits for the end.</summary>
    /// <param name="executable">The built server.</param>
    /// <param name="modelStore">Where the model is.</param>
    /// <param name="model">Its name.</param>
    /// <param name="data">A file or folder to send.</param>
    /// <param name="flags">The space, and how it is looked at.</param>
    /// <exception cref="BenchmarkException">It failed; the message is what it said.</exception>
    public static TuneOutcome Run(string executable, string modelStore, string model, string data, params string[] flags)
    {
        var results = Directory.CreateTempSubdirectory("serve-bench-tune-");
        try
        {
            var start = new ProcessStartInfo(executable, ["tune", model, "--model-store", modelStore, "--data", data, "--results", results.FullName, "--json", .. flags]) { RedirectStandardOutput = true, RedirectStandardError = true };
            var began = Stopwatch.GetTimestamp();
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0) throw new BenchmarkException($"serve tune {model} ended with {process.ExitCode}: {errors.GetAwaiter().GetResult()}");
            return TuneOutcome.Parse(output, Stopwatch.GetElapsedTime(began));
        }
        finally
        {
            results.Delete(recursive: true);
        }
    }
}

/// <summary>What a tuning found.</summary>
/// <param name="Best">What it chose.</param>
/// <param name="GridSize">Settings of the whole space.</param>
/// <param name="Time">How long the command took, from its start to its end.</param>
/// <param name="PerSecond">Answers per second of each setting that was looked at, by its best measurement.</param>
internal sealed record TuneOutcome(TunedSetting Best, int GridSize, TimeSpan Time, IReadOnlyDictionary<TunedSetting, double> PerSecond)
{
    /// <summary>Answers per second of what it chose.</summary>
    public double BestPerSecond => PerSecond[Best];

    /// <summary>Reads the output of <c>--json</c>.</summary>
    /// <param name="json">The output.</param>
    /// <param name="time">How long the command took.</param>
    public static TuneOutcome Parse(string json, TimeSpan time)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        var perSecond = new Dictionary<TunedSetting, double>();

        // What the final measured comes after the glances, and counts.
        foreach (var result in root.GetProperty("results").EnumerateArray()) perSecond[Setting(result)] = result.GetProperty("perSecond").GetDouble();
        return new TuneOutcome(Setting(root.GetProperty("best")), root.GetProperty("gridSize").GetInt32(), time, perSecond);
    }

    private static TunedSetting Setting(JsonElement result)
    {
        var setting = result.GetProperty("setting");
        int Number(string name) => setting.GetProperty(name).GetInt32();
        return new TunedSetting(Number("batchSize"), Number("instances"), Number("workers"), Number("delayMilliseconds"), Number("decodeThreads"), Number("intraOpThreads"));
    }
}

/// <summary>One way to run a model.</summary>
internal readonly record struct TunedSetting(int BatchSize, int Instances, int Workers, int DelayMilliseconds, int DecodeThreads, int IntraOpThreads)
{
    public override string ToString() =>
        $"batch {BatchSize}, {Instances} instances, {Workers} workers, {(DelayMilliseconds > 0 ? $"{DelayMilliseconds} ms" : "adaptive")}{(IntraOpThreads > 0 ? $", {IntraOpThreads} threads" : "")}";
}
