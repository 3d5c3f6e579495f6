using System.Globalization;
using System.Text;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Models.Repository;
using Serve.Core.Tensors;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>
/// A model configuration in the protocol's words, given to a load, as keys of <c>model-config.yaml</c>. What has no
/// counterpart is refused by its name: a load that ignores what was asked for would be found out by its latency.
/// </summary>
internal sealed class ConfigOverride
{
    // Of maxBatchDelay.
    private const long LongestDelayMicroseconds = 3_600_000_000;

    private readonly Dictionary<string, string> _keys = [];
    private readonly List<ExpectedTensor> _inputs = [];
    private readonly List<ExpectedTensor> _outputs = [];
    private readonly Dictionary<string, string> _parameters = [];
    private int _maxBatchSize;
    private bool _batches;

    private ConfigOverride()
    {
    }

    /// <summary>Keys of <c>model-config.yaml</c>, as text.</summary>
    public IReadOnlyDictionary<string, string> Keys => _keys;

    /// <summary>Which versions it wants served; null: it does not say.</summary>
    public VersionPolicy? Policy { get; private set; }

    /// <summary>Reads a configuration.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="text">A JSON object with the fields of ModelConfig in snake_case.</param>
    /// <exception cref="BadRequestException">It is no such object, or has what cannot be done.</exception>
    public static ConfigOverride Parse(string model, string text)
    {
        try
        {
            using var document = StrictJson.Parse(Encoding.UTF8.GetBytes(text));
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new BadRequestException("the config must be a JSON object");
            var config = new ConfigOverride();
            foreach (var field in document.RootElement.EnumerateObject()) config.Read(model, field);
            config.Complete();
            return config;
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"the config is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>Whether a version's tensors are those that the configuration has.</summary>
    /// <returns>What is wrong; null: nothing.</returns>
    public string? FaultOf(ModelVersion version)
    {
        if (_inputs.Count + _outputs.Count == 0) return null;
        if (version.Signature is not { } signature) return "the config has inputs or outputs, and the model has none";

        // By the model itself: served with a batch size of 1 it has no batch (SignatureCheck.ForRequests), and dims leave it out all the same.
        var isBatched = _maxBatchSize > 0 && version.Describe().Signature is { Batching: RowBatching.Dynamic };
        return Fault("input", _inputs, signature.Inputs, isBatched) ?? Fault("output", _outputs, signature.Outputs, isBatched);
    }

    private void Read(string model, JsonProperty field)
    {
        var value = field.Value;

        // As protobuf's JSON has it: a field that is not set.
        if (value.ValueKind == JsonValueKind.Null) return;
        switch (field.Name)
        {
            case "name":
                if (value.AsText(field.Name) is { Length: > 0 } name && name != model) throw new BadRequestException($"the config's name is '{name}', not '{model}'");
                break;
            case "platform":
                OneOf(field, "onnxruntime_onnx", "dotnet", "");
                break;
            case "backend":
                OneOf(field, "onnxruntime", "dotnet", "");
                break;
            case "max_batch_size":
                _maxBatchSize = Whole(field, 0, 4096);
                if (_maxBatchSize > 0) _keys["batchSize"] = Text(_maxBatchSize);
                else _parameters.TryAdd("batchSize", "1");
                break;
            case "version_policy":
                ReadVersions(field);
                break;
            case "instance_group":
                ReadInstances(field);
                break;
            case "dynamic_batching":
                ReadBatching(field);
                break;
            case "parameters":
                foreach (var parameter in Members(field)) _parameters[parameter.Name] = Member(parameter, "string_value").AsText($"parameters.{parameter.Name}.string_value");
                break;
            case "default_model_filename":
                if (value.AsText(field.Name) is { Length: > 0 } file) _keys["modelFile"] = file;
                break;
            case "response_cache":
                // Protobuf's JSON leaves false out.
                _keys["responseCache.enabled"] = Text(false);
                foreach (var member in Members(field)) _keys["responseCache.enabled"] = member.Name == "enable" ? Text(AsFlag(member)) : throw Unknown($"response_cache.{member.Name}");
                break;
            case "model_transaction_policy":
                // The model's handler decides it.
                foreach (var member in Members(field)) if (member.Name != "decoupled") throw Unknown($"model_transaction_policy.{member.Name}");
                break;
            case "input":
                _inputs.AddRange(Items(field).Select(ExpectedTensor.Read));
                break;
            case "output":
                _outputs.AddRange(Items(field).Select(ExpectedTensor.Read));
                break;
            default:
                if (!IsEmpty(value)) throw Unknown(field.Name);
                break;
        }
    }

    // What a field says goes before the parameter of the same key, whatever their order; a field that is 0 says nothing. So what
    // the server tells (ModelConfigReport) can be given back, as it is or with a field changed.
    private void Complete()
    {
        foreach (var (key, value) in _parameters) _keys.TryAdd(key, value);
        if (_batches) _keys.TryAdd("batching", "adaptive");
    }

    private void ReadVersions(JsonProperty policy)
    {
        foreach (var choice in Members(policy))
        {
            switch (choice.Name)
            {
                case "latest":
                    // 0 is what a field has that was not set.
                    var count = 1;
                    foreach (var member in Members(choice)) count = member.Name == "num_versions" ? Math.Max(1, Whole(member, 0, int.MaxValue)) : throw Unknown($"version_policy.latest.{member.Name}");
                    Policy = VersionPolicy.Latest(count);
                    break;
                case "all":
                    foreach (var member in Members(choice)) throw Unknown($"version_policy.all.{member.Name}");
                    Policy = VersionPolicy.All;
                    break;
                case "specific":
                    List<string> versions = [.. Items(Required(choice, "versions")).Select(static version => version.ValueKind == JsonValueKind.String ? version.GetString()! : version.GetRawText())];
                    if (versions.Count == 0) throw new BadRequestException("version_policy.specific must name at least one version");
                    Policy = VersionPolicy.Specific(versions);
                    break;
                default:
                    throw Unknown($"version_policy.{choice.Name}");
            }
        }
    }

    private void ReadInstances(JsonProperty groups)
    {
        List<JsonElement> all = [.. Items(groups)];
        if (all.Count > 1) throw new BadRequestException("instance_group: all workers are alike; give one group");
        if (all.Exists(static group => group.ValueKind != JsonValueKind.Object)) throw new BadRequestException("instance_group must be a list of objects");
        foreach (var field in all.SelectMany(static group => group.EnumerateObject()))
        {
            switch (field.Name)
            {
                case "name":
                    break;
                case "count":
                    _keys["instances"] = Text(Whole(field, 1, 64));
                    break;
                case "kind":
                    OneOf(field, "KIND_AUTO", "KIND_CPU", "KIND_GPU");
                    if (field.Value.GetString() is "KIND_CPU" or "KIND_GPU") _keys["deviceType"] = field.Value.GetString() == "KIND_GPU" ? "gpu" : "cpu";
                    break;
                case "gpus":
                    if (Items(field).Any()) _keys["deviceIds"] = string.Join(',', Items(field).Select(static gpu => gpu.GetRawText()));
                    break;
                default:
                    if (!IsEmpty(field.Value)) throw Unknown($"instance_group.{field.Name}");
                    break;
            }
        }
    }

    private void ReadBatching(JsonProperty property)
    {
        var batching = property.Value;
        _batches = true;
        foreach (var field in Members(property))
        {
            switch (field.Name)
            {
                case "max_queue_delay_microseconds":
                    var microseconds = Long(field, 0, LongestDelayMicroseconds);
                    if (microseconds == 0) break;
                    _keys["batching"] = "delayed";
                    _keys["maxBatchDelay"] = Duration(microseconds);
                    break;
                case "priority_levels":
                    _keys["priorityLevels"] = Text(Math.Max(1, (int)Long(field, 0, 100)));
                    break;
                case "default_priority_level":
                    break; // The middle; checked against it below.
                case "default_queue_policy":
                    foreach (var member in Members(field)) ReadQueuePolicy(member);
                    break;
                case "preserve_ordering":
                    if (AsFlag(field)) throw new BadRequestException("dynamic_batching.preserve_ordering is not available: answers leave when they are there");
                    break;
                default:
                    if (!IsEmpty(field.Value)) throw Unknown($"dynamic_batching.{field.Name}");
                    break;
            }
        }

        if (!batching.TryGetProperty("default_priority_level", out var chosen) || chosen.AsWide() is not { } level || level == 0) return;
        var levels = batching.TryGetProperty("priority_levels", out var all) && all.AsWide() is { } count ? Math.Max(1, count) : 1;
        if (level != (levels + 1) / 2) throw new BadRequestException($"dynamic_batching.default_priority_level is the middle of the levels, {(levels + 1) / 2} of {levels}, and cannot be {level}");
    }

    private void ReadQueuePolicy(JsonProperty member)
    {
        switch (member.Name)
        {
            case "max_queue_size":
                if (Whole(member, 0, 1_000_000) is > 0 and var size) _keys["maxQueueSize"] = Text(size);
                break;
            case "default_timeout_microseconds":
                var microseconds = Long(member, 0, long.MaxValue);
                if (microseconds >= 1000) _keys["latencyTarget"] = Duration(microseconds);
                else if (microseconds != 0) throw new BadRequestException("dynamic_batching.default_queue_policy.default_timeout_microseconds must be 0 or at least 1000");
                break;
            case "timeout_action":
                OneOf(member, "REJECT");
                break;
            case "allow_timeout_override":
                if (!AsFlag(member)) throw new BadRequestException("dynamic_batching.default_queue_policy.allow_timeout_override is always true");
                break;
            default:
                throw Unknown($"dynamic_batching.default_queue_policy.{member.Name}");
        }
    }

    private static string? Fault(string what, List<ExpectedTensor> expected, IReadOnlyList<TensorInfo> tensors, bool isBatched)
    {
        foreach (var tensor in expected)
        {
            if (tensors.FirstOrDefault(found => found.Name == tensor.Name) is not { } found) return $"unexpected inference {what} '{tensor.Name}': the model has {string.Join(", ", tensors.Select(other => $"'{other.Name}'"))}";
            if (tensor.Datatype is { } type && type != found.ElementType.Datatype()) return $"the {what} '{tensor.Name}' is {found.ElementType.Datatype()} in the model, not {type}";
            var dims = found.Shape.Skip(isBatched ? 1 : 0).ToList();
            if (tensor.Dims is { } wanted && (wanted.Count != dims.Count || wanted.Zip(dims).Any(pair => pair.First != pair.Second && pair.First != -1 && pair.Second != -1)))
                return $"the {what} '{tensor.Name}' has the shape {TensorShape.Text(dims)} in the model, not {TensorShape.Text(wanted)}";
        }

        return null;
    }

    private static void OneOf(JsonProperty field, params string[] allowed)
    {
        if (!allowed.Contains(field.Value.AsText(field.Name))) throw new BadRequestException($"{field.Name} must be {string.Join(" or ", allowed.Where(word => word.Length > 0))}, not '{field.Value.GetString()}'");
    }

    private static int Whole(JsonProperty field, int least, int most) => field.Value.ValueKind == JsonValueKind.Number && field.Value.TryGetInt32(out var number) && number >= least && number <= most
        ? number
        : throw new BadRequestException($"{field.Name} must be a whole number from {least} to {most}, not {field.Value.GetRawText()}");

    // Of a field of 64 bits, which protobuf's JSON writes as text.
    private static long Long(JsonProperty field, long least, long most) => field.Value.AsWide() is { } number && number >= least && number <= most
        ? number
        : throw new BadRequestException($"{field.Name} must be a whole number from {least} to {most}, not {field.Value.GetRawText()}");

    private static bool AsFlag(JsonProperty field) => field.Value.ValueKind is JsonValueKind.True or JsonValueKind.False ? field.Value.GetBoolean() : throw new BadRequestException($"{field.Name} must be true or false");

    private static JsonElement.ObjectEnumerator Members(JsonProperty field) => field.Value.ValueKind == JsonValueKind.Object ? field.Value.EnumerateObject() : throw new BadRequestException($"{field.Name} must be an object");

    private static JsonElement Member(JsonProperty field, string name) => Required(field, name).Value;

    private static JsonProperty Required(JsonProperty field, string name) => Members(field).FirstOrDefault(member => member.Name == name) is { Value.ValueKind: not JsonValueKind.Undefined } found ? found : throw new BadRequestException($"{field.Name}.{name} is missing");

    private static JsonElement.ArrayEnumerator Items(JsonProperty field) => field.Value.ValueKind == JsonValueKind.Array ? field.Value.EnumerateArray() : throw new BadRequestException($"{field.Name} must be a list");

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.String => value.GetString()!.Length == 0,
        JsonValueKind.Null or JsonValueKind.False => true,
        _ => false,
    };

    private static string Duration(long microseconds) => microseconds % 1000 == 0 ? FormattableString.Invariant($"{microseconds / 1000}ms") : FormattableString.Invariant($"{microseconds}us");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Text(bool flag) => flag ? "true" : "false";

    private static BadRequestException Unknown(string name) => new($"{name} of the config is not available in this server");
}
