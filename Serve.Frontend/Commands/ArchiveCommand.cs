using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Models.Archives;

namespace Serve.Frontend.Commands;

/// <summary>What <c>serve archive --json</c> prints.</summary>
internal sealed record ArchiveReport(string Path, string ModelName, string Version);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ArchiveReport))]
internal sealed partial class ArchiveJson : JsonSerializerContext;

/// <summary><c>serve archive</c>: packs a model, with the flags of torch-model-archiver. Needs no server.</summary>
internal static class ArchiveCommand
{
    public static Command Create()
    {
        var name = new Option<string>("--model-name", "-n") { HelpName = "NAME", Description = "The model's name, and the archive's", Required = true };
        var version = new Option<string>("--version", "-v") { HelpName = "VERSION", Description = "Its version", DefaultValueFactory = _ => "1.0" };
        var handler = new Option<string?>("--handler") { HelpName = "HANDLER", Description = "image_classifier, image_embedder, tensor, repeat, or path/Assembly.dll:Namespace.Type [default: the configuration file's, else tensor]" };
        var model = new Option<string?>("--serialized-file", "-s") { HelpName = "FILE", Description = "The ONNX file; weights beside it (.data) come along" };
        var code = new Option<string?>("--model-file") { HelpName = "FILE", Description = "TorchServe's Python file with the model's class: packed, not used by Serve" };
        var extra = new Option<string[]>("--extra-files") { HelpName = "FILES", Description = "More files and folders, separated by commas or given one by one", AllowMultipleArgumentsPerToken = true };
        var config = new Option<string?>("--config-file", "-c") { HelpName = "FILE", Description = "The model's configuration, model-config.yaml" };
        var requirements = new Option<string?>("--requirements-file", "-r") { HelpName = "FILE", Description = "TorchServe's list of Python packages: packed, not used by Serve" };
        var runtime = new Option<string>("--runtime") { Description = "What the manifest says; has no effect in Serve", DefaultValueFactory = _ => "onnx" };
        runtime.AcceptOnlyFromAmong("onnx", "dotnet", "python", "python3", "LSP");
        var export = new Option<string>("--export-path", "-o") { HelpName = "FOLDER", Description = "Where the archive goes", DefaultValueFactory = _ => "." };
        var format = new Option<string>("--archive-format") { Description = "How it is packed", DefaultValueFactory = _ => "default" };
        format.AcceptOnlyFromAmong("default", "tgz", "zip-store", "no-archive");
        var force = new Option<bool>("--force", "-f") { Description = "Replace an archive that exists" };
        var json = new Option<bool>("--json") { Description = "Print what was made as JSON" };
        var command = new DocumentedCommand("archive", "Packs a model into an archive (.mar, .tar.gz or a folder) for a model store, after checking that it can be served. The flags are torch-model-archiver's.", """
            serve archive -n my-model -s model.onnx --handler tensor -o model-store
            serve archive -n boots -v 2.0 -s vit.onnx --handler image_classifier --extra-files index_to_name.json -c model-config.yaml
            serve archive -n boots -s vit.onnx --handler image_classifier --archive-format tgz
            serve archive -n mine --handler bin/Release/net10.0/MyHandler.dll:My.Handler --archive-format no-archive
            """) { name, version, handler, model, code, extra, requirements, config, runtime, export, format, force, json };
        command.SetAction(arguments =>
        {
            var request = new ArchiveRequest
            {
                ModelName = arguments.GetRequiredValue(name),
                Version = arguments.GetRequiredValue(version),
                Handler = arguments.GetValue(handler),
                SerializedFile = arguments.GetValue(model),
                ExtraFiles = [.. (arguments.GetValue(extra) ?? []).SelectMany(files => files.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))],
                ModelFile = arguments.GetValue(code),
                RequirementsFile = arguments.GetValue(requirements),
                Runtime = arguments.GetRequiredValue(runtime),
                ConfigFile = arguments.GetValue(config),
                ExportPath = arguments.GetRequiredValue(export),
                Force = arguments.GetValue(force),
                Format = arguments.GetValue(format) switch
                {
                    "tgz" => ArchiveFormat.Tgz,
                    "zip-store" => ArchiveFormat.ZipStore,
                    "no-archive" => ArchiveFormat.NoArchive,
                    _ => ArchiveFormat.Default,
                },
            };
            using var interruption = new Interruption();
            var path = ModelArchiver.Create(request, interruption.Token);
            var screen = new Screen(arguments.InvocationConfiguration.Output);
            if (arguments.GetValue(json)) screen.Json(JsonSerializer.Serialize(new ArchiveReport(path, request.ModelName, request.Version), ArchiveJson.Default.ArchiveReport));
            else screen.Line($"Packed {request.ModelName} {request.Version} into {path}");
            return ExitCode.Success;
        });
        return command;
    }
}
