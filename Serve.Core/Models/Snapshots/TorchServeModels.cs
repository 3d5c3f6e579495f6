using System.Text.Json;
using Serve.Core.Configuration;
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

            // Only looks at what is there: nothing is unpacked.
            var reader = new Reader(import, new ModelStore(import.Configuration, Path.GetTempPath()), isSnapshot, notes);
            return new RegistrySnapshot { Models = [.. (isSnapshot ? models : root).EnumerateObject().Select(reader.Model).OfType<ModelSnapshot>()] };
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new InvalidModelException($"line {import.ModelsLine}: the models are not what TorchServe writes: {error.Message}", error);
        }
    }

    /// <summary>What <c>load_models</c> does not have to load, because the snapshot registers it.</summary>
    /// <param name="import">What was read of the file.</param>
    /// <param name="snapshot">What <see cref="Read"/> made of it.</param>
    public static IReadOnlyCollection<StartupModel> Registered(TorchServeImport import, RegistrySnapshot snapshot) =>
        [.. snapshot.Models.SelectMany(model => model.Versions.Select(version => Loading(import, model.Name, version.Url))).OfType<StartupModel>().Distinct()];

    /// <summary>The one of <c>load_models</c> that loads a model of <c>models</c>: one that gives it its name before one that leaves that to the manifest.</summary>
    private static StartupModel? Loading(TorchServeImport import, string model, string archive) =>
        import.AtStartup.Where(loaded => loaded.Means(model, archive)).OrderBy(loaded => loaded.Name is null).FirstOrDefault();

    /// <summary>A number that TorchServe takes for set: what is negative is left to the defaults.</summary>
    private static int? Number(JsonElement version, string key) => version.TryGetProperty(key, out var value) && value.GetInt32() is >= 0 and var number ? number : null;

    private sealed class Reader(TorchServeImport import, ModelStore store, bool isSnapshot, List<ImportNote> notes)
    {
        public ModelSnapshot? Model(JsonProperty model)
        {
            var versions = new List<VersionSnapshot>();
            string? chosen = null;
            foreach (var version in model.Value.EnumerateObject())
            {
                if (Version(model.Name, version) is not { } read) continue;
                versions.Add(read);
                if (chosen is null || version.Value.TryGetProperty("defaultVersion", out var isDefault) && isDefault.GetBoolean()) chosen = version.Name;
            }

            return versions.Count == 0 ? null : new ModelSnapshot { Name = model.Name, Default = chosen, Versions = versions };
        }

        private VersionSnapshot? Version(string model, JsonProperty version)
        {
            var name = $"{model} {version.Name}";
            var archive = version.Value.GetProperty("marName").GetString() ?? "";
            var stored = Stored(archive);
            if (!isSnapshot && WhyNotLoaded(model, version.Name, archive, stored) is { } why)
            {
                Note($"{name}: ignored: {why}");
                return null;
            }

            if (ModelNames.Fault(model) is { } fault || (fault = ModelNames.Fault(version.Name)) is not null)
            {
                Note($"{name}: not mapped: the name {fault}", needsAttention: true);
                return null;
            }

            Note($"{name}: registered from {archive} at the next start{(stored is null ? ", as soon as it is in the model store" : "")}", needsAttention: stored is null);
            foreach (var key in version.Value.EnumerateObject().Select(setting => setting.Name).Where(key => !Known.Contains(key))) Note($"{name}: {key}: ignored: it has no meaning in Serve");

            return new VersionSnapshot
            {
                Version = version.Name,
                Url = archive,
                BatchSize = Number(version.Value, "batchSize"),
                MaxBatchDelay = Number(version.Value, "maxBatchDelay") is { } delay ? TimeSpan.FromMilliseconds(delay) : null,
                ResponseTimeout = Number(version.Value, "responseTimeout") is { } response ? TimeSpan.FromSeconds(response) : null,
                StartupTimeout = Number(version.Value, "startupTimeout") is { } startup ? TimeSpan.FromSeconds(startup) : null,
                Workers = Workers(name, version.Value),
            };
        }

        /// <summary>Why TorchServe does not load a version that <c>models</c> has: it finds settings by the name and version of what it loads.</summary>
        private string? WhyNotLoaded(string model, string version, string archive, StoredModel? stored)
        {
            var loaded = Loading(import, model, archive);
            if (loaded is null && import.Configuration.LoadModels is not ["all"]) return import.AtStartup.FirstOrDefault(other => other.Url == archive) is { } other ? $"{archive} is loaded as {other.Name}" : $"load_models does not name {archive}";
            if (stored is null) return null;

            var loadedName = loaded?.Name ?? stored.Name;
            return loadedName == model && stored.Version == version ? null : $"{archive} is loaded as {loadedName} {stored.Version}";
        }

        /// <summary>The numbers of workers. TorchServe has no limit for them; Serve has, and a server must not start a thousand processes.</summary>
        private WorkerRange? Workers(string name, JsonElement version)
        {
            if (Number(version, "minWorkers") is not { } min) return null;

            const int Most = ModelConfigurationReader.MaxWorkers;
            var max = Math.Max(min, Number(version, "maxWorkers") ?? min);
            if (max > Most) Note($"{name}: {(min > Most ? $"minWorkers is {min}" : $"maxWorkers is {max}")}: {Most} instead, the most that a version may have", needsAttention: true);
            return new WorkerRange(Math.Min(min, Most), Math.Min(max, Most));
        }

        /// <summary>What lies in the model store, an archive or a folder; null: nothing that Serve knows as a model.</summary>
        private StoredModel? Stored(string archive)
        {
            try
            {
                return store.Resolve(archive);
            }
            catch (Exception error) when (error is ServeException or IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }

        private void Note(string text, bool needsAttention = false) => notes.Add(new ImportNote(import.ModelsLine, $"models: {text}", needsAttention));
    }
}
