using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Serve.Benchmarks.Processes;

/// <summary>The built server with a model store of its own, as a user would start it; stopped by SIGTERM.</summary>
internal sealed partial class ServeProcess : IDisposable
{
    private const int Terminate = 15;

    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly DirectoryInfo _runtime;
    private readonly HttpClient _http = new();

    private ServeProcess(string executable, string modelStore, string fastPath, string inferenceAddress, params IReadOnlyList<string> flags)
    {
        _runtime = Directory.CreateTempSubdirectory("serve-bench-run-");
        var start = new ProcessStartInfo(executable)
        {
            ArgumentList =
            {
                "start",
                "--model-store", modelStore,
                "--no-config-snapshots",
                "--runtime-folder", _runtime.FullName,
                "--inference-address", inferenceAddress,
                "--management-address", "http://127.0.0.1:0",
                "--metrics-address", "http://127.0.0.1:0",
                "--grpc-inference-address", "http://127.0.0.1:0",
                "--grpc-management-address", "http://127.0.0.1:0",
                "--fast-path", fastPath,
            },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var flag in flags.Contains("--log-level") ? flags : [.. flags, "--log-level", "warning"]) start.ArgumentList.Add(flag);
        StartTimestamp = Stopwatch.GetTimestamp();
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>The moment before the process was started.</summary>
    public long StartTimestamp { get; }

    /// <summary>The frontend's process.</summary>
    public int Pid => _process.Id;

    /// <summary>Where it serves inference; after <see cref="StartAndListen"/>.</summary>
    public IPEndPoint Inference { get; private set; } = new(IPAddress.None, 0);

    /// <summary>Where it serves inference over gRPC; likewise.</summary>
    public IPEndPoint GrpcInference { get; private set; } = new(IPAddress.None, 0);

    private Uri Management { get; set; } = new("http://localhost");

    private Uri Metrics { get; set; } = new("http://localhost");

    /// <summary>Starts it and waits until it listens; its models may still be loading.</summary>
    public static ServeProcess StartAndListen(string executable, string modelStore, string fastPath, params IReadOnlyList<string> flags)
    {
        var serve = new ServeProcess(executable, modelStore, fastPath, "http://127.0.0.1:0", flags);
        try
        {
            serve.WaitForState();
            return serve;
        }
        catch
        {
            serve.Dispose();
            throw;
        }
    }

    /// <summary>Starts it on a known address and does not wait for anything.</summary>
    public static ServeProcess StartAt(string executable, string modelStore, string fastPath, IPEndPoint inference) =>
        new(executable, modelStore, fastPath, $"http://{inference}") { Inference = inference };

    /// <summary>Asks until the model answers with 200.</summary>
    /// <returns>The time from the start of the process to that answer.</returns>
    public TimeSpan WaitForAnswer(string path, string contentType, byte[] body)
    {
        while (true)
        {
            if (Ask(path, contentType, body)) return Stopwatch.GetElapsedTime(StartTimestamp);
            GiveUpIfNeeded($"{path} did not answer");
            Thread.Sleep(Pause);
        }
    }

    /// <summary>Process ids of a model's workers.</summary>
    public IReadOnlyList<int> WorkerPids(string model)
    {
        using var description = JsonDocument.Parse(Get(new Uri(Management, $"/models/{model}")));
        return [.. description.RootElement[0].GetProperty("workers").EnumerateArray().Select(worker => worker.GetProperty("pid").GetInt32())];
    }

    /// <summary>A series of its metrics, by its name with labels; null when there is none.</summary>
    public double? Metric(string series)
    {
        foreach (var line in Get(new Uri(Metrics, "/metrics")).Split('\n'))
        {
            if (line.StartsWith(series, StringComparison.Ordinal) && line.Length > series.Length && line[series.Length] == ' ')
                return double.Parse(line[(series.Length + 1)..], CultureInfo.InvariantCulture);
        }

        return null;
    }

    /// <summary>Reads all its metrics, as Prometheus does.</summary>
    public void Scrape() => Get(new Uri(Metrics, "/metrics"), "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5");

    /// <summary>The sum of a family's series that have all these labels.</summary>
    public double SumOfMetrics(string family, params string[] labels)
    {
        var sum = 0.0;
        foreach (var line in Get(new Uri(Metrics, "/metrics")).Split('\n'))
        {
            if (!line.StartsWith(family + "{", StringComparison.Ordinal) || !labels.All(label => line.Contains(label, StringComparison.Ordinal))) continue;
            sum += double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
        }

        return sum;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _ = kill(_process.Id, Terminate);
        if (!_process.WaitForExit(StopPatience)) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _http.Dispose();
        _runtime.Delete(recursive: true);
    }

    private void WaitForState()
    {
        while (true)
        {
            if (_runtime.EnumerateFiles("server-*.json").FirstOrDefault() is { } file)
            {
                using var state = JsonDocument.Parse(File.ReadAllText(file.FullName));
                Management = new Uri(state.RootElement.GetProperty("managementAddress").GetString()!);
                Metrics = new Uri(state.RootElement.GetProperty("metricsAddress").GetString()!);
                Inference = EndPoint("inferenceAddress");
                GrpcInference = EndPoint("grpcInferenceAddress");
                return;

                IPEndPoint EndPoint(string name)
                {
                    var address = new Uri(state.RootElement.GetProperty(name).GetString()!);
                    return new IPEndPoint(IPAddress.Parse(address.Host), address.Port);
                }
            }

            GiveUpIfNeeded("it does not listen");
            Thread.Sleep(Pause);
        }
    }

    private bool Ask(string path, string contentType, byte[] body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{Inference}{path}") { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new(contentType);
        try
        {
            using var response = _http.Send(request);
            return response.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            // It does not listen yet.
            return false;
        }
    }

    private string Get(Uri address, string? accept = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (accept is not null) request.Headers.Accept.ParseAdd(accept);
        using var response = _http.Send(request);
        using var reader = new StreamReader(response.EnsureSuccessStatusCode().Content.ReadAsStream());
        return reader.ReadToEnd();
    }

    private void GiveUpIfNeeded(string what)
    {
        if (!_process.HasExited && Stopwatch.GetElapsedTime(StartTimestamp) < StartPatience) return;
        lock (_output) throw new InvalidOperationException($"The server could not be measured: {what}. It said:\n{_output}");
    }

    private void Keep(string? line)
    {
        lock (_output) _output.AppendLine(line);
    }

    [LibraryImport("libc")]
    private static partial int kill(int pid, int signal);
}
