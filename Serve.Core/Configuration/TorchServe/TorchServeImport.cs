using System.Text;
using System.Text.RegularExpressions;

namespace Serve.Core.Configuration.TorchServe;

/// <summary>One line of what an import has done with a setting.</summary>
/// <param name="Line">The line of <c>config.properties</c>; 0 for what stands nowhere.</param>
/// <param name="Text">What became of it, and why.</param>
/// <param name="NeedsAttention">Whether somebody has to do something.</param>
internal sealed record ImportNote(int Line, string Text, bool NeedsAttention = false);

/// <summary>TorchServe's <c>config.properties</c> as Serve's <c>serve.yaml</c>.</summary>
/// <param name="Yaml">The file's text; Serve reads it without problems.</param>
/// <param name="Configuration">What it means.</param>
/// <param name="Models">The text of <c>model_snapshot</c>, else of <c>models</c>; null if there is none.</param>
/// <param name="ModelsLine">The line of that.</param>
/// <param name="AtStartup">What <c>load_models</c> names one by one; none where it is <c>all</c> or <c>none</c>, or a snapshot says it.</param>
/// <param name="Notes">What became of each line.</param>
internal sealed partial record TorchServeImport(string Yaml, ServerConfiguration Configuration, string? Models, int ModelsLine, IReadOnlyList<StartupModel> AtStartup, IReadOnlyList<ImportNote> Notes)
{
    private static readonly string[] Listeners = ["inferenceAddress", "managementAddress", "metricsAddress", "grpcInferenceAddress", "grpcManagementAddress"];

    /// <summary>Imports a file.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="source">The file's name, for the comment in the result.</param>
    /// <param name="target">Where the result will lie: relative paths are TorchServe's, relative to the folder it was started in, which is taken to be the file's.</param>
    /// <param name="folder">The folder of the imported file.</param>
    /// <param name="environment">Gives a variable's value, for <c>$$NAME$$</c>.</param>
    /// <param name="registered">Those of <see cref="AtStartup"/> that a snapshot registers: loaded by <c>loadModels</c> too, under the names in their manifests, they might be there twice.</param>
    public static TorchServeImport Of(string text, string source, string target, string folder, Func<string, string?> environment, IReadOnlyCollection<StartupModel>? registered = null)
    {
        var import = new Importer(target, folder, environment, registered ?? []);
        foreach (var entry in PropertiesFile.Read(text).GroupBy(entry => entry.Key).Select(same => same.Last()).OrderBy(entry => entry.Line)) import.Take(entry);
        return import.Finish(source);
    }

    [GeneratedRegex(@"\$\$([A-Za-z_][A-Za-z0-9_]*)\$\$")]
    private static partial Regex Variable();

    private sealed class Importer(string target, string folder, Func<string, string?> environment, IReadOnlyCollection<StartupModel> registered)
    {
        private readonly List<ImportNote> _notes = [];
        private readonly HashSet<string> _keys = new(StringComparer.Ordinal);
        private readonly List<(int Line, string Key, string Raw, string Yaml)> _settings = [];
        private (int Line, string Text)? _models;
        private (int Line, string Text)? _snapshot;
        private IReadOnlyList<StartupModel> _atStartup = [];
        private readonly GrpcAddresses _grpc = new();
        private bool _isOpen;
        private bool _isExposed;

        public void Take(PropertiesEntry entry)
        {
            _keys.Add(entry.Key);
            var value = WithVariables(entry);
            if (value is null) return;

            switch (entry.Key)
            {
                case "models":
                    _models = (entry.Line, value);
                    break;
                case "model_snapshot":
                    _snapshot = (entry.Line, value);
                    break;
                case "disable_token_authorization":
                    _isOpen = value == "true";
                    if (_isOpen) Note(entry, "auth: none, where a listener is not on loopback");
                    else Set(entry, "keyFile", Path.GetFullPath("key_file.json", folder));
                    break;
                case "keystore" or "keystore_pass" or "keystore_type":
                    Ignore(entry, needsAttention: entry.Key is "keystore");
                    break;
                case "debug":
                    if (value == "true") Set(entry, "logLevel", "debug");
                    else Note(entry, "ignored: false is the default");
                    break;
                default:
                    if (_grpc.Take(entry with { Value = value })) break;
                    if (TorchServeProperties.Same.TryGetValue(entry.Key, out var key)) Map(entry, key, value);
                    else Ignore(entry);
                    break;
            }
        }

        public TorchServeImport Finish(string source)
        {
            if (_snapshot is not null)
            {
                if (_models is { } models) _notes.Add(new ImportNote(models.Line, "models: ignored: model_snapshot says the same, as it was last"));
                _models = _snapshot;
                _settings.RemoveAll(setting => setting.Key == "loadModels");
                _settings.Add((_snapshot.Value.Line, "loadModels", "none", "none"));
                _atStartup = [];
            }

            AddDefaults();
            AddGrpc();
            RemoveSharedPorts();
            AddExposure();

            var yaml = Write(source);
            var configuration = ServerConfigurationReader.ReadText(_isExposed ? yaml + "auth: none\n" : yaml, target).Configuration with { Auth = null };
            return new TorchServeImport(yaml, configuration, _models?.Text, _models?.Line ?? 0, _atStartup, [.. _notes.OrderBy(note => note.Line == 0 ? int.MaxValue : note.Line)]);
        }

        /// <summary>What the file does not say, and TorchServe has otherwise than Serve.</summary>
        private void AddDefaults()
        {
            if (_settings.All(setting => setting.Key != "allowedUrls")) _notes.Add(new ImportNote(0, "allowed_urls is not set: TorchServe then fetches models from every URL, Serve from none. Set allowedUrls if models are registered by URLs", NeedsAttention: true));
            if (!_keys.Contains("enable_model_api")) _notes.Add(new ImportNote(0, "enable_model_api is not set: TorchServe then registers and unregisters no models over its API, Serve does where the management listener is on loopback or asks who calls. Set enableModelApi: false to switch it off", NeedsAttention: true));
            if (_settings.Any(setting => setting.Key == "loadModels")) return;

            // Also where load_models is there and could not be mapped: too little is seen at once, and everything in the store is too much.
            _settings.Add((0, "loadModels", "none", "none"));
            _notes.Add(new ImportNote(0, _keys.Contains("load_models")
                ? "loadModels: none, until load_models is mapped by hand"
                : "load_models is not set: loadModels: none, as TorchServe then loads no models, where Serve loads all of the store. Set loadModels if TorchServe's command line named some (--models)", NeedsAttention: true));
        }

        private void AddGrpc()
        {
            foreach (var (key, address, entries) in _grpc.All)
            {
                Set(entries[0], key, address);
                foreach (var entry in entries.Skip(1)) Note(entry, $"part of {key}");
            }

            foreach (var entry in _grpc.Defaults) Note(entry, "ignored: false is the default");
        }

        private string? WithVariables(PropertiesEntry entry)
        {
            string? missing = null;
            var value = Variable().Replace(entry.Value.Trim(), match =>
            {
                var variable = environment(match.Groups[1].Value);
                if (variable is null) missing = match.Groups[1].Value;
                return variable ?? "";
            });
            if (missing is null) return value;

            Note(entry, $"not mapped: the variable {missing} is not set here; run the import where it is, or set the key by hand", needsAttention: true);
            return null;
        }

        private void Map(PropertiesEntry entry, string key, string value)
        {
            if (key == "loadModels") MapLoadModels(entry, value);
            else if (key is "modelStore" or "certificateFile" or "privateKeyFile") Set(entry, key, Path.GetFullPath(value, folder));
            else if (key == "tokenExpiration") Set(entry, key, value + "m");
            else Set(entry, key, key == "allowedUrls" ? value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) : [value]);
        }

        private void MapLoadModels(PropertiesEntry entry, string value)
        {
            var models = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (models is [] or ["all"] or ["ALL"] or ["none"])
            {
                Set(entry, "loadModels", models is [] or ["none"] ? "none" : "all");
                return;
            }

            List<StartupModel> atStartup = [.. models.Select(StartupModel.Parse)];
            foreach (var model in atStartup.Where(registered.Contains)) Note(entry, $"{model} is registered from the snapshot, as models has it");

            List<StartupModel> left = [.. atStartup.Except(registered)];
            foreach (var model in left.Where(model => model.Name is not null))
            {
                Note(entry, $"the name of {model} is not kept: a model that is loaded at start has the name in its manifest; register it under the other name (serve register --name)", needsAttention: true);
            }

            // One that Serve does not take loads nothing, so models has nothing that is loaded either.
            if (Set(entry, "loadModels", left.Count > 0 ? [.. left.Select(model => model.Url).Distinct()] : ["none"])) _atStartup = atStartup;
        }

        /// <summary>Keeps a setting if Serve takes it.</summary>
        private bool Set(PropertiesEntry entry, string key, params string[] values)
        {
            if (values.Length == 0)
            {
                Note(entry, "ignored: it is empty");
                return false;
            }

            var yaml = values is [var only] && key != "allowedUrls" ? Scalar(only) : $"[{string.Join(", ", values.Select(Quoted))}]";
            try
            {
                // A listener that is open to others, or has no certificate, is told about apart.
                ServerConfigurationReader.ReadText($"{key}: {yaml}\nauth: none\n{Companion(key, values[0])}", target);
            }
            catch (ConfigurationException error)
            {
                Note(entry, $"not mapped: {string.Join("; ", error.Problems.Select(problem => problem.Message))}", needsAttention: true);
                return false;
            }

            _settings.Add((entry.Line, key, values[0], yaml));
            Note(entry, $"{key}: {yaml}");
            return true;
        }

        // What a key cannot be without; where it is in the file too, both are read together at the end.
        private static string Companion(string key, string value)
        {
            var certificate = key switch
            {
                "certificateFile" => "privateKeyFile: x\n",
                "privateKeyFile" => "certificateFile: x\n",
                _ when value.StartsWith("https://", StringComparison.OrdinalIgnoreCase) => "certificateFile: x\nprivateKeyFile: x\n",
                _ => "",
            };

            // A port that is another one's default may be free: the file can give that one another.
            return Listeners.Contains(key) ? certificate + string.Concat(Listeners.Where(other => other != key).Select(other => $"{other}: http://127.0.0.1:0\n")) : certificate;
        }

        private void Ignore(PropertiesEntry entry, bool needsAttention = false)
        {
            var reason = TorchServeProperties.Ignored.GetValueOrDefault(entry.Key)
                ?? TorchServeProperties.IgnoredPrefixes.FirstOrDefault(prefix => entry.Key.StartsWith(prefix.Key, StringComparison.Ordinal)).Value;
            if (reason is not null) Note(entry, $"ignored: {reason}", needsAttention);
            else Note(entry, "ignored: no key of TorchServe's", needsAttention: true);
        }

        /// <summary>TorchServe may serve two of its interfaces at one address; in Serve each has a port of its own.</summary>
        private void RemoveSharedPorts()
        {
            while (true)
            {
                try
                {
                    ServerConfigurationReader.ReadText(Write("") + "auth: none\n", target);
                    return;
                }
                catch (ConfigurationException error) when (InTheWay(error.Problems) is var (at, why))
                {
                    _notes.Add(new ImportNote(_settings[at].Line, $"{_settings[at].Key} is left out: {why}", NeedsAttention: true));
                    _settings.RemoveAt(at);
                }
            }
        }

        /// <summary>The setting that a problem is about; where the problem is a default's, the one that has taken its port.</summary>
        private (int At, string Why)? InTheWay(IReadOnlyList<ConfigurationProblem> problems)
        {
            foreach (var problem in problems)
            {
                if (_settings.FindIndex(setting => setting.Key == problem.Key) is >= 0 and var at) return (at, problem.Message);
                if (DefaultPort(problem.Key) is not { } port) continue;
                at = _settings.FindIndex(setting => Listeners.Contains(setting.Key) && ListenAddress.Parse(setting.Raw, out _)?.Port == port);
                if (at >= 0) return (at, $"{problem.Key}: {problem.Message}");
            }

            return null;
        }

        private static int? DefaultPort(string key)
        {
            var defaults = new ServerConfiguration();
            var address = key switch
            {
                "inferenceAddress" => defaults.InferenceAddress,
                "managementAddress" => defaults.ManagementAddress,
                "metricsAddress" => defaults.MetricsAddress,
                "grpcInferenceAddress" => defaults.GrpcInferenceAddress,
                "grpcManagementAddress" => defaults.GrpcManagementAddress,
                _ => null,
            };
            return address is null ? null : ListenAddress.Parse(address, out _)!.Port;
        }

        private void AddExposure()
        {
            var open = _settings.Where(setting => Listeners.Contains(setting.Key) && ListenAddress.Parse(setting.Raw, out _) is { IsLoopback: false }).ToList();
            if (open.Count == 0) return;

            if (_isOpen) _settings.Add((0, "auth", "none", "none"));
            else if (_settings.All(setting => setting.Key != "keyFile"))
            {
                _isExposed = true;
                _notes.Add(new ImportNote(open[0].Line, $"{open[0].Key} can be reached from other machines, which Serve refuses until the configuration says who may call: docs/configuration.md, \"Other machines\"", NeedsAttention: true));
            }
        }

        private string Write(string source)
        {
            var yaml = new StringBuilder();
            if (source.Length > 0) yaml.Append("# Imported from ").Append(source).Append(" by serve import-config. docs/configuration.md has every key.\n");
            foreach (var (_, key, _, value) in _settings) yaml.Append(key).Append(": ").Append(value).Append('\n');
            return yaml.ToString();
        }

        private void Note(PropertiesEntry entry, string text, bool needsAttention = false) => _notes.Add(new ImportNote(entry.Line, $"{entry.Key}: {text}", needsAttention));

        private static string Scalar(string text) => text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '/' or '_' or '-' or ':') && text.Length > 0 && !text.EndsWith(':') ? text : Quoted(text);

        private static string Quoted(string text) => '"' + string.Concat(text.Select(letter => letter switch
        {
            '"' => "\\\"",
            '\\' => "\\\\",
            _ when char.IsControl(letter) => $"\\u{(int)letter:x4}",
            _ => letter.ToString(),
        })) + '"';
    }
}
