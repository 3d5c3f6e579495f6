using System.Globalization;
using System.Text;
using Serve.Core.Observability;

namespace Serve.Frontend.Metrics.TorchServe;

/// <summary>
/// Prometheus text as TorchServe's library writes it: a comma behind the last label, and a decimal point in every number.
/// Prometheus reads both; scripts that look for TorchServe's lines rely on them.
/// </summary>
internal sealed class TorchServeText
{
    private readonly StringBuilder _text = new(4096);
    private TorchServeFamily? _family;

    /// <summary>Adds a series. Those of one family follow one another.</summary>
    /// <param name="family">Its family.</param>
    /// <param name="value">Its value; null: there is none.</param>
    /// <param name="labels">The values of its labels, in their order.</param>
    public void Add(TorchServeFamily family, double? value, params ReadOnlySpan<string> labels)
    {
        if (value is not { } known) return;
        if (_family != family) AddHead(family);
        _text.Append(family.Name).Append('{');
        for (var i = 0; i < labels.Length; i++) AddEscaped(_text.Append(family.Labels[i]).Append("=\""), labels[i]).Append("\",");
        var number = known.ToString("R", CultureInfo.InvariantCulture);
        _text.Append("} ").Append(number).Append(number.AsSpan().ContainsAny(".EN") ? "\n" : ".0\n");
    }

    public byte[] ToBytes() => Encoding.UTF8.GetBytes(_text.ToString());

    private void AddHead(TorchServeFamily family)
    {
        _family = family;
        _text.Append("# HELP ").Append(family.Name).Append(" Torchserve prometheus ").Append(family.Type).Append(" metric with unit: ").Append(family.Unit).Append('\n');
        _text.Append("# TYPE ").Append(family.Name).Append(' ').Append(family.Type).Append('\n');
    }

    private static StringBuilder AddEscaped(StringBuilder text, string value)
    {
        foreach (var letter in value)
        {
            switch (letter)
            {
                case '\\': text.Append("\\\\"); break;
                case '"': text.Append("\\\""); break;
                case '\n': text.Append("\\n"); break;
                default: text.Append(letter); break;
            }
        }

        return text;
    }
}
