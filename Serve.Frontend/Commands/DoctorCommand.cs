using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Core.Protocol;

namespace Serve.Frontend.Commands;

/// <summary>
/// <c>serve doctor</c>: what makes a model slow, and what mends it. Needs no server: a worker process loads the model, because
/// this one never does.
/// </summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var model = new Argument<string>("MODEL") { Description = "A model of the store (NAME or NAME/VERSION), a model's folder, an archive (.mar, .tar.gz, .tgz), or an .onnx file" };
        var flags = ServerFlags.OfLoading();
        var device = new Option<string?>("--device") { HelpName = "cpu|gpu", Description = "Judge it for this device [default: the model's configuration]" };
        device.AcceptOnlyFromAmong("cpu", "gpu");
        var json = new Option<bool>("--json") { Description = "Print the report as JSON" };
        var command = new DocumentedCommand("doctor", "Loads a model and says what makes it slow: operators that are not fused, nodes that fall back to the CPU, the wrong precision, shapes that rule out batches or CUDA graphs; each with its cost and what mends it.", """
            serve doctor fashion-vit
            serve doctor export/model.onnx --device gpu
            serve doctor model-store/vit_l_16/1.0 --json
            """) { model, device, json };
        flags.AddTo(command);
        command.SetAction(async (arguments, _) =>
        {
            var server = flags.Read(arguments).Configuration;
            using var interruption = new Interruption();
            var unpacked = Directory.CreateTempSubdirectory("serve-doctor-");
            try
            {
                using var source = Open(arguments.GetRequiredValue(model), server, unpacked.FullName, interruption.Token);
                var report = await ExamineAsync(Load(source, server, arguments.GetValue(device)), Worker(server), interruption.Token);
                var screen = new Screen(arguments.InvocationConfiguration.Output);
                if (arguments.GetValue(json)) screen.Json(JsonSerializer.Serialize(report, DoctorJson.Default.DoctorReport));
                else Print(report, screen);
                return report.Findings.Any(finding => finding.Severity == FindingSeverity.Warning) ? ExitCode.Findings : ExitCode.Success;
            }
            finally
            {
                unpacked.Delete(recursive: true);
            }
        });
        return command;
    }

    /// <summary>A path that exists goes before a name of the store.</summary>
    private static ModelSource Open(string model, ServerConfiguration server, string unpacked, CancellationToken cancellation)
    {
        if (string.IsNullOrWhiteSpace(model)) throw new CommandException(ExitCode.Usage, "MODEL is empty; give a model of the store, a model's folder, an archive (.mar, .tar.gz, .tgz), or an .onnx file.");
        var path = Path.GetFullPath(model);
        if (!Path.Exists(path)) return new ModelStore(server, unpacked).Open(model, cancellation: cancellation);

        // Whatever the folder around it is called, it is the store for this once; of NAME/VERSION, the folder around that.
        path = Path.TrimEndingDirectorySeparator(path);
        if (Path.GetDirectoryName(path) is not { } parent) throw new CommandException(ExitCode.Usage, $"{path} is the root of the file system, not a model.");
        var isVersion = Directory.Exists(path) && char.IsAsciiDigit(Path.GetFileName(path)[0]) && Path.GetDirectoryName(parent) is not null;
        var store = isVersion ? Path.GetDirectoryName(parent)! : parent;
        return new ModelStore(server with { ModelStore = store }, unpacked).Open(Path.GetRelativePath(store, path).Replace('\\', '/'), cancellation: cancellation);
    }

    private static LoadMessage Load(ModelSource source, ServerConfiguration server, string? device)
    {
        var configuration = On(device, source.Configuration);
        var index = configuration.DeviceIds.Count > 0 ? configuration.DeviceIds[0] : 0;
        return new LoadMessage(source.Name, source.Version, source.Folder, configuration, new DeviceMessage(configuration.DeviceType, index), 1000, 1, source.IsTemporary ? null : CacheMessage.From(server));
    }

    /// <summary>A configuration as it would be on a device; null: on its own. Providers of the other device do not come along.</summary>
    internal static ModelConfiguration On(string? device, ModelConfiguration configuration)
    {
        var execution = configuration.Execution;
        return device switch
        {
            "gpu" => configuration with { DeviceType = DeviceType.Gpu, Execution = execution.Providers.Any(provider => provider is "cuda" or "tensorrt") ? execution : execution with { Providers = [] } },
            "cpu" => configuration with { DeviceType = DeviceType.Cpu, Execution = execution with { Providers = [], CudaGraphs = false } },
            _ => configuration,
        };
    }

    private static string Worker(ServerConfiguration server)
    {
        var executable = server.WorkerExecutable ?? Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "serve-worker.exe" : "serve-worker");
        return File.Exists(executable) ? executable : throw new CommandException(ExitCode.Failed, $"The worker's executable {executable} is not there (workerExecutable).");
    }

    private static async Task<DoctorReport> ExamineAsync(LoadMessage load, string executable, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(executable, ["doctor"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardOutputEncoding = Encoding.UTF8,
            UseShellExecute = false,
        };
        start.Environment["ORT_DISABLE_TELEMETRY"] = "1";

        // As for a server's workers: gpu:1 is the GPU that NVIDIA's own tools call 1.
        start.Environment.TryAdd("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellation);

            // The worker's standard input stays open: its end, whatever ended this process, ends the worker.
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(load, ProtocolJson.Default.LoadMessage).AsMemory(), cancellation);
            await process.StandardInput.FlushAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return Report(process.ExitCode, await output);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static DoctorReport Report(int exitCode, string output)
    {
        try
        {
            if (exitCode == 0) return JsonSerializer.Deserialize(output, ProtocolJson.Default.DoctorReport)!;
            var error = JsonSerializer.Deserialize(output, ProtocolJson.Default.ErrorMessage)!;
            throw new CommandException(ExitCode.Failed, error.Message);
        }
        catch (JsonException)
        {
            throw new CommandException(ExitCode.Failed, string.Create(CultureInfo.InvariantCulture, $"The worker that loaded the model ended with code {exitCode} and no report."));
        }
    }

    private static void Print(DoctorReport report, Screen screen)
    {
        var optimized = report.OptimizedNodes is { } nodes ? string.Create(CultureInfo.InvariantCulture, $"{report.Nodes} nodes, {nodes} after optimization") : $"{report.Nodes} nodes";
        screen.Line(string.Create(CultureInfo.InvariantCulture,
            $"{report.Model} {report.Version} on {report.Device} ({string.Join(", ", report.Providers)}): {optimized}, {ModelTables.Bytes(report.WeightBytes)} of weights, operator set {report.OperatorSet}, loaded in {report.LoadMilliseconds} ms"));
        foreach (var note in report.Notes) screen.Line($"note: {note}");
        foreach (var finding in report.Findings)
        {
            screen.Line("");
            screen.Line($"{finding.Severity.ToString().ToLowerInvariant(),-8} {finding.Summary}");
            if (finding.Cost is not null) screen.Line($"         costs: {finding.Cost}");
            if (finding.Remedy is not null) screen.Line($"         mend:  {finding.Remedy}");
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(DoctorReport))]
internal sealed partial class DoctorJson : JsonSerializerContext;
