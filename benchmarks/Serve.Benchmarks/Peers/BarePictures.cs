using System.Globalization;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Peers;

/// <summary>
/// The limit of what one process can do with pictures here: decoding and executing in one loop, without requests, sockets,
/// batching rules or answers; with the worker's own decoder and as many threads as the worker has.
/// </summary>
internal sealed class BarePictures : IDisposable
{
    /// <summary>The first argument that turns this program into the peer.</summary>
    public const string Verb = "peer-pictures";

    private readonly PeerProcess _process;

    /// <param name="model">The model's file.</param>
    /// <param name="pictures">A folder of pictures, decoded in turn.</param>
    /// <param name="plan">Batch and threads.</param>
    public BarePictures(string model, string pictures, Plan plan) => _process = new PeerProcess(
        [
            Verb, model, pictures,
            plan.Batch.ToString(CultureInfo.InvariantCulture),
            plan.IntraOpThreads.ToString(CultureInfo.InvariantCulture),
            plan.DecodeThreads.ToString(CultureInfo.InvariantCulture),
        ],
        new Dictionary<string, string> { ["ORT_DISABLE_TELEMETRY"] = "1", ["DOTNET_TieredPGO"] = "0" });

    public void Dispose() => _process.Dispose();

    /// <summary>Works for that long.</summary>
    public Rates Run(Work work, TimeSpan duration)
    {
        _process.Write(string.Create(CultureInfo.InvariantCulture, $"{work} {duration.TotalSeconds}"));
        var answer = _process.Read().Split(' ');
        return new Rates(double.Parse(answer[0], CultureInfo.InvariantCulture), double.Parse(answer[1], CultureInfo.InvariantCulture));
    }

    /// <summary>The peer's own main program.</summary>
    public static void Run(string model, string pictures, Plan plan)
    {
        byte[][] files = [.. Directory.EnumerateFiles(pictures).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
        using var loop = new PictureLoop(model, files, plan);
        while (Console.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            var rates = loop.Run(Enum.Parse<Work>(words[0]), TimeSpan.FromSeconds(double.Parse(words[1], CultureInfo.InvariantCulture)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{rates.DecodedPerSecond} {rates.ExecutedPerSecond}"));
        }
    }

    /// <summary>Batch and threads of the loop.</summary>
    public readonly record struct Plan(int Batch, int IntraOpThreads, int DecodeThreads);

    /// <summary>Pictures a second.</summary>
    public readonly record struct Rates(double DecodedPerSecond, double ExecutedPerSecond);

    /// <summary>What the loop does.</summary>
    public enum Work
    {
        /// <summary>Decodes the next batches while one executes.</summary>
        Overlapped,

        /// <summary>Decodes a batch with all its threads, executes it, decodes the next.</summary>
        InTurns,

        /// <summary>Decodes and throws away.</summary>
        Decode,

        /// <summary>Executes the same batch again and again.</summary>
        Execute,

        /// <summary>Both at once, neither waiting for the other.</summary>
        SideBySide,
    }
}
