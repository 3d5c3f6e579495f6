using System.Globalization;
using Serve.Core.Errors;
using Serve.Frontend.OpenInference.Messages;
using Serve.Frontend.Tracing;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>
/// The settings of tracing. Where the server traces (<c>tracing.endpoint</c>), in Triton's mode <c>opentelemetry</c>, they decide
/// which requests are traced: all models' alike. Where it does not, the one level is <c>OFF</c>, and the others are kept and told.
/// </summary>
/// <param name="models">Which models there are.</param>
/// <param name="sampler">Decides which requests are traced; null: the server does not trace.</param>
internal sealed class TraceSettings(OpenInferenceModels models, RequestSampler? sampler)
{
    private const string Level = "trace_level";
    private const string Rate = "trace_rate";
    private const string Count = "trace_count";

    private readonly IReadOnlyDictionary<string, string[]> _defaults = new Dictionary<string, string[]>
    {
        [Level] = [sampler is null ? "OFF" : "TIMESTAMPS"],
        [Rate] = [sampler is null ? "1000" : RateOf(sampler.Ratio)],
        [Count] = ["-1"],
        ["log_frequency"] = ["0"],
        ["trace_file"] = [""],
        ["trace_mode"] = [sampler is null ? "triton" : "opentelemetry"],
    };

    private readonly double _ratio = sampler?.Ratio ?? 0;
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
        foreach (var (name, values) in changes) Check(model, name, values);
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

                if (sampler is not null && model is null) Apply(sampler, changes.ContainsKey(Count));
            }

            var response = new TraceSettingResponse();
            foreach (var name in _defaults.Keys)
            {
                var value = new TraceSettingResponse.Types.SettingValue();
                value.Value.AddRange(model is not null && _models.GetValueOrDefault(model)?.GetValueOrDefault(name) is { } own ? own : InForce(name));
                response.Settings[name] = value;
            }

            return response;
        }
    }

    // Under the gate. What is left of a number that was set counts down by itself.
    private string[] InForce(string name) => name == Count && sampler is not null ? [Text(sampler.Left)] : _server.GetValueOrDefault(name) ?? _defaults[name];

    // Under the gate.
    private void Apply(RequestSampler applied, bool changesCount)
    {
        var ratio = _server.TryGetValue(Rate, out var rate) ? 1.0 / long.Parse(rate[0], CultureInfo.InvariantCulture) : _ratio;
        applied.Ratio = InForce(Level) is ["OFF"] ? null : ratio;
        if (changesCount) applied.Left = _server.TryGetValue(Count, out var count) ? long.Parse(count[0], CultureInfo.InvariantCulture) : -1;
    }

    private void Check(string? model, string name, IReadOnlyList<string> values)
    {
        if (!_defaults.ContainsKey(name)) throw new BadRequestException($"There is no trace setting '{ShownText.Of(name)}'; there are {string.Join(", ", _defaults.Keys.Order(StringComparer.Ordinal))}.");
        if (name is "trace_file" or "trace_mode") throw new NotAvailableException($"{name} is not changed over the network.");
        if (values.Count == 0) return;
        if (sampler is not null && model is not null) throw new NotAvailableException($"{name} is one for all models; set the server's.");
        if (name == Level)
        {
            foreach (var level in values)
            {
                if (level == "TENSORS") throw new NotAvailableException("trace_level TENSORS is not available: traces have no tensors.");
                if (level == "TIMESTAMPS" && sampler is null) throw new NotAvailableException("trace_level TIMESTAMPS is not available: this server has no collector to send traces to (tracing.endpoint).");
                if (level is not ("OFF" or "TIMESTAMPS") || (level == "OFF" && values.Count > 1)) throw new BadRequestException($"trace_level must be {(sampler is null ? "OFF" : "OFF or TIMESTAMPS")}, not '{ShownText.Of(string.Join(", ", values))}'.");
            }

            return;
        }

        var least = name switch { Count => -1, Rate when sampler is not null => 1, _ => 0 };
        if (values is not [var text] || !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) || number < least)
            throw new BadRequestException($"{name} must be one whole number of at least {least}, not '{ShownText.Of(string.Join(", ", values))}'.");
    }

    // One of so many; of none, none can be named.
    private static string RateOf(double? ratio) => ratio is > 0 and var some ? Text((long)Math.Round(Math.Min(1 / some, long.MaxValue / 2))) : "0";

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
