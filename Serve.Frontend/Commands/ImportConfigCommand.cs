using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration.TorchServe;
using Serve.Core.Models.Snapshots;

namespace Serve.Frontend.Commands;

/// <summary><c>serve import-config</c>: TorchServe's <c>config.properties</c> as Serve's configuration. Needs no server.</summary>
internal static class ImportConfigCommand
{
    private const int LargestFile = 16 << 20;

    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "TorchServe's config.properties, or a snapshot of its (logs/config/*.cfg)" };
        var output = new Option<string>("--output", "-o") { HelpName = "FILE", Description = "Where the configuration goes", DefaultValueFactory = _ => "serve.yaml" };
        var folder = new Option<string?>("--snapshot-folder") { HelpName = "FOLDER", Description = "Where models and model_snapshot go [default: .snapshots in the model store]" };
        var force = new Option<bool>("--force", "-f") { Description = "Replace a configuration that exists, and go before snapshots that exist" };
        var command = new DocumentedCommand("import-config", "Turns TorchServe's config.properties into serve.yaml and says what became of each line.", """
            serve import-config config.properties
            serve import-config logs/config/20250620101112000-shutdown.cfg -o configs/serve.yaml
            serve start --config serve.yaml
            """) { file, output, folder, force };
        command.SetAction(arguments =>
        {
            var source = arguments.GetRequiredValue(file);
            var target = Path.GetFullPath(arguments.GetRequiredValue(output));
            if (File.Exists(target) && !arguments.GetValue(force)) throw new CommandException(ExitCode.Failed, $"{target} exists already; remove it, replace it with --force, or give another --output.");

            var text = Read(source);
            var import = Import([]);
            var notes = new List<ImportNote>();
            var screen = new Screen(arguments.InvocationConfiguration.Output);
            var models = import.Models is null ? null : TorchServeModels.Read(import, notes);
            if (models is { Models.Count: > 0 })
            {
                Write(models, arguments.GetValue(folder) is { } given ? Path.GetFullPath(given) : null, import, arguments.GetValue(force), notes);
                import = Import(TorchServeModels.Registered(import, models));
            }

            notes.InsertRange(0, import.Notes);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllText(target, import.Yaml);

            foreach (var note in notes) screen.Line($"{Place(source, note.Line)}: {(note.NeedsAttention ? "! " : "")}{note.Text}");
            var open = notes.Count(note => note.NeedsAttention);
            screen.Line($"Wrote {target}." + (open > 0 ? $" {open} {(open == 1 ? "line needs" : "lines need")} attention (marked by !)." : ""));
            return ExitCode.Success;

            TorchServeImport Import(IReadOnlyCollection<StartupModel> registered) =>
                TorchServeImport.Of(text, Path.GetFileName(source), target, Path.GetDirectoryName(Path.GetFullPath(source))!, Environment.GetEnvironmentVariable, registered);
        });
        return command;
    }

    private static void Write(RegistrySnapshot models, string? given, TorchServeImport import, bool force, List<ImportNote> notes)
    {
        var store = import.Configuration.ModelStore;
        if (given is null && !Directory.Exists(store)) throw new CommandException(ExitCode.Failed, $"The model store {store} does not exist, where the models' snapshot goes; make the folder, or give --snapshot-folder.");

        var folder = given ?? Path.Combine(store, SnapshotFolder.DefaultName);
        using var snapshots = SnapshotFolder.Open(folder, NullLogger.Instance);
        if (snapshots.Read() is not null && !force) throw new CommandException(ExitCode.Failed, $"{folder} has snapshots of Serve's already; go before them with --force, or give another --snapshot-folder.");

        snapshots.Write(models);
        notes.Add(new ImportNote(import.ModelsLine, $"{models.Models.Count} {(models.Models.Count == 1 ? "model" : "models")} written to {folder}" + (given is null ? "" : "; start the server with it as snapshotFolder")));
    }

    private static string Read(string path)
    {
        if (!File.Exists(path)) throw new CommandException(ExitCode.Failed, $"{path}: there is no such file.");
        if (new FileInfo(path).Length > LargestFile) throw new CommandException(ExitCode.Failed, $"{path} is too large for a configuration.");
        return File.ReadAllText(path);
    }

    private static string Place(string source, int line) => line > 0 ? string.Create(CultureInfo.InvariantCulture, $"{source}:{line}") : source;
}
