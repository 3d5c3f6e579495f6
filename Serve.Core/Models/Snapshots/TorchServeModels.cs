using System.Text.Json;
using Serve.Core.Configuration.TorchServe;
using Serve.Core.Errors;

namespace Serve.Core.Models.Snapshots;

/// <summary>TorchServe's <c>models</c> and <c>model_snapshot</c>, JSON in its <c>config.properties</c>, as a snapshot of Serve's.</summary>
internal static class TorchServeModels
{
    private static readonly string[] Known = ["defaultVersion", "marName", "minWorkers", "maxWorkers", "batchSize", "maxBatchDelay", "responseTimeout", "startupTimeout"];

    /// <summary>Reads the JSON.</summary>
    /// <param name="import">What was read of the file.</param>
    /// <param name="notes">Gets what became of each version.</param>
    /// <exception cref="InvalidModelException">It is not what TorchServe writes.</exception>
    public static RegistrySnapshot Read(TorchServeImport import, List<ImportNote> notes)
    {
        try
        {
            using var document = JsonDocument.Parse(import.Models!, new JsonDocumentOptions { MaxDepth = 16 });
            var root = document.RootElement;
            var isSnapshot = root.TryGetProperty("models", out var models) && root.TryGetProperty("modelCount", out _);
            return new RegistrySnapshot { Models = [.. (isSnapshot ? models : root).EnumerateObject().Select(model => Model(model, import, isSnapshot, notes)).OfType<ModelSnapshot>()] };
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new InvalidModelException($"line {import.ModelsLine}: the models are not what TorchServe writes: {error.Message}", error);
        }
    }

    private static ModelSnapshot? Model(JsonProperty model, TorchServeImport import, bool isSnapshot, List<ImportNote> notes)
    {
        var versions = new List<VersionSnapshot>();
        string? chosen = null;
        foreach (var version in model.Value.EnumerateObject())
        {
            if (Version(model.Name, version, import, isSnapshot, notes) is not { } read) continue;
            versions.Add(read);
            if (chosen is null || version.Value.TryGetProperty("defaultVersion", out var isDefault) && isDefault.GetBoolean()) chosen = version.Name;
        }

        return versions.Count == 0 ? null : new ModelSnapshot { Name = model.Name, Default = chosen, Versions = versions };
    }

    private static VersionSnapshot? Version(string model, JsonProperty version, TorchServeImport import, bool isSnapshot, List<ImportNote> notes)
    {
        var line = import.ModelsLine;
        var name = $"{model} {version.Name}";
        var archive = version.Value.GetProperty("marName").GetString() ?? "";
        var loaded = import.Configuration.LoadModels;
        if (!isSnapshot && loaded is not ["all"] && !loaded.Contains(archive) && !loaded.Contains(model))
        {
            notes.Add(new ImportNote(line, $"models: {name}: ignored: load_models does not name {archive}"));
            return null;
        }

        if (ModelNames.Fault(model) is { } fault || (fault = ModelNames.Fault(version.Name)) is not null)
        {
            notes.Add(new ImportNote(line, $"models: {name}: not mapped: the name {fault}", NeedsAttention: true));
            return null;
        }

        var isThere = File.Exists(Path.Combine(import.Configuration.ModelStore, archive));
        notes.Add(new ImportNote(line, $"models: {name}: registered from {archive} at the next start{(isThere ? "" : ", as soon as it is in the model store")}", NeedsAttention: !isThere));
        foreach (var key in version.Value.EnumerateObject().Select(setting => setting.Name).Where(key => !Known.Contains(key))) notes.Add(new ImportNote(line, $"models: {name}: {key}: ignored: it has no meaning in Serve"));

        var min = Number(version.Value, "minWorkers");
        return new VersionSnapshot
        {
            Version = version.Name,
            Url = archive,
            BatchSize = Number(version.Value, "batchSize"),
            MaxBatchDelay = Number(version.Value, "maxBatchDelay") is { } delay ? TimeSpan.FromMilliseconds(delay) : null,
            ResponseTimeout = Number(version.Value, "responseTimeout") is { } response ? TimeSpan.FromSeconds(response) : null,
            StartupTimeout = Number(version.Value, "startupTimeout") is { } startup ? TimeSpan.FromSeconds(startup) : null,
            Workers = min is { } fewest ? new WorkerRange(fewest, Math.Max(fewest, Number(version.Value, "maxWorkers") ?? fewest)) : null,
        };
    }

    /// <summary>A number that TorchServe takes for set: what is negative is left to the defaults.</summary>
    private static int? Number(JsonElement version, string key) => version.TryGetProperty(key, out var value) && value.GetInt32() is >= 0 and var number ? number : null;
}
