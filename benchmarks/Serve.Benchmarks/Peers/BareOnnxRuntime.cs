using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Peers;

/// <summary>
/// The limit of what a server can do with a model here: ONNX Runtime called in a loop on one thread, with inputs that are
/// decoded already and outputs whose memory is there. No requests, no pictures, no sockets.
/// </summary>
internal sealed class BareOnnxRuntime : IDisposable
{
    /// <summary>The first argument that turns this program into the peer.</summary>
    public const string Verb = "peer-onnx";

    private readonly PeerProcess _process;

    public BareOnnxRuntime(string model) =>
        _process = new PeerProcess([Verb, model], new Dictionary<string, string> { ["ORT_DISABLE_TELEMETRY"] = "1" });

    public int Pid => _process.Pid;

    public void Dispose() => _process.Dispose();

    /// <summary>Runs batches for that long.</summary>
    /// <param name="threads">Threads inside an operator, which do not spin; 0: ONNX Runtime's defaults, which do.</param>
    /// <param name="batch">Rows of a batch.</param>
    /// <param name="duration">How long.</param>
    public Rate Run(int threads, int batch, TimeSpan duration)
    {
        _process.Write(string.Create(CultureInfo.InvariantCulture, $"{threads} {batch} {duration.TotalSeconds}"));
        var answer = _process.Read().Split(' ');
        return new Rate(double.Parse(answer[0], CultureInfo.InvariantCulture), TimeSpan.FromMicroseconds(double.Parse(answer[1], CultureInfo.InvariantCulture)));
    }

    /// <summary>The peer's own main program.</summary>
    public static void Run(string model)
    {
        var sessions = new Dictionary<int, InferenceSession>();
        while (Console.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            var threads = int.Parse(words[0], CultureInfo.InvariantCulture);
            if (!sessions.TryGetValue(threads, out var session)) session = sessions[threads] = Open(model, threads);
            var rate = Measure(session, int.Parse(words[1], CultureInfo.InvariantCulture), TimeSpan.FromSeconds(double.Parse(words[2], CultureInfo.InvariantCulture)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{rate.RowsPerSecond} {rate.MedianCall.TotalMicroseconds}"));
        }

        foreach (var session in sessions.Values) session.Dispose();
    }

    private static InferenceSession Open(string model, int threads)
    {
        using var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        if (threads > 0)
        {
            options.IntraOpNumThreads = threads;
            options.InterOpNumThreads = 1;
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0");
        }

        return new InferenceSession(model, options);
    }

    private static Rate Measure(InferenceSession session, int batch, TimeSpan duration)
    {
        var (input, output) = (session.InputMetadata.Single(), session.OutputMetadata.Single());
        using var inputValue = OrtValue.CreateTensorValueFromMemory(Pixels(batch, input.Value.Dimensions), Shape(batch, input.Value.Dimensions));
        using var outputValue = OrtValue.CreateTensorValueFromMemory(new float[Elements(batch, output.Value.Dimensions)], Shape(batch, output.Value.Dimensions));
        using var options = new RunOptions();
        string[] inputNames = [input.Key], outputNames = [output.Key];
        OrtValue[] inputs = [inputValue], outputs = [outputValue];

        var calls = new List<long>(1 << 16);
        var started = Stopwatch.GetTimestamp();
        var before = started;
        var end = started + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        while (before < end)
        {
            session.Run(options, inputNames, inputs, outputNames, outputs);
            var after = Stopwatch.GetTimestamp();
            calls.Add(after - before);
            before = after;
        }

        calls.Sort();
        return new Rate(calls.Count * batch / Stopwatch.GetElapsedTime(started, before).TotalSeconds, Stopwatch.GetElapsedTime(0, calls[calls.Count / 2]));
    }

    // What lies in a picture does not change the speed, only that it is neither zero nor denormal.
    private static float[] Pixels(int batch, int[] dimensions)
    {
        var random = new Random(1);
        var pixels = new float[Elements(batch, dimensions)];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (float)((random.NextDouble() * 2) - 1);
        return pixels;
    }

    private static int Elements(int batch, int[] dimensions) => dimensions.Skip(1).Aggregate(batch, (product, dimension) => product * dimension);

    private static long[] Shape(int batch, int[] dimensions) => [batch, .. dimensions.Skip(1).Select(dimension => (long)dimension)];

    /// <summary>What a run has seen.</summary>
    public readonly record struct Rate(double RowsPerSecond, TimeSpan MedianCall);
}
