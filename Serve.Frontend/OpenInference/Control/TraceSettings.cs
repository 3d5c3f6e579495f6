using System.Globalization;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>
/// The settings of tracing, the server's and those of models that differ, kept and told. There is no tracing yet, so the one
/// level is <c>OFF</c>.
/// </summary>
internal sealed class TraceSettings(OpenInferenceModels models)
{
    private const string Level = "trace_level";

    private static readonly IReadOnlyDictionary<string, string[]> Defaults = new Dictionary<string, string[]>
    {
        [Level] = ["OFF"],
        ["trace_rate"] = ["1000"],
        ["trace_count"] = ["-1"],
        ["log_frequency"] = ["0"],
        ["trace_file"] = [""],
        ["trace_mode"] = ["triton"],
    };

    private readonly Lock _gate = new();
    private readonly Dictionary<string, string[]> _server = [];
    private readonly Dictionary<string, Dictionary<string, string[]>> _models = [];

    /// <summary>Whether a setting is a list.</summary>
    public static bool IsList(string name) => name == Level;

    /// <summary>Changes some settings, and answers with all that are in force.</summary>
    /// <param name="model">A model; null: the server's.</param>
    /// <param name="changes">New values; none: back to the server's, or to the default.</param>
    /// <exception cref="ServeException">400, 404, 501 (cannot be changed here). Nothing was changed.</exception>
    public TraceSettingResponse Change(string? model, IReadOnlyDictionary<string, IReadOnlyList<string>> changes)
    {
        if (model is not null) models.Find(model, null);
        foreach (var (name, values) in changes) Check(name, values);
        lock (_gate)
        {
            if (changes.Count > 0)
            {
                if (model is not null && !_models.ContainsKey(model)) _models[model] = [];
                var target = model is null ? _server : _models[model];
                foreach (var (name, values) in changes)
                {
                    if (values.Count > 0) target[name] = [.. values];
                    else target.Remove(name);
                }
            }

            var response = new TraceSettingResponse();
            foreach (var name in Defaults.Keys)
            {
                var value = new TraceSettingResponse.Types.SettingValue();
                value.Value.AddRange(model is not null && _models.GetValueOrDefault(model)?.GetValueOrDefault(name) is { } own ? own : _server.GetValueOrDefault(name) ?? Defaults[name]);
                response.Settings[name] = value;
            }

            return response;
        }
    }

    private static void Check(string name, IReadOnlyList<string> values)
    {
        if (!Defaults.ContainsKey(name)) throw new BadRequestException($"There is no trace setting '{name}'; there are {string.Join(", ", Defaults.Keys.Order(StringComparer.Ordinal))}.");
        if (name is "trace_file" or "trace_mode") throw NotImplemented($"{name} is not changed over the network.");
        if (values.Count == 0) return;
        if (name == Level)
        {
            foreach (var level in values)
            {
                if (level is "TIMESTAMPS" or "TENSORS") throw NotImplemented($"trace_level {level} is not available: this server does not trace.");
                if (level != "OFF") throw new BadRequestException($"trace_level must be OFF, not '{level}'.");
            }

            return;
        }

        var least = name == "trace_count" ? -1 : 0;
        if (values is not [var text] || !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) || number < least)
            throw new BadRequestException($"{name} must be one whole number of at least {least}, not '{string.Join(", ", values)}'.");
    }

    private static ServeException NotImplemented(string message) => new(StatusCodes.Status501NotImplemented, "NotImplementedException", message);
}
