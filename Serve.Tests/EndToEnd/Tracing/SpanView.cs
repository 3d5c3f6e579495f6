using System.Globalization;
using Google.Protobuf;
using Serve.Tests.EndToEnd.Tracing.Otlp;

namespace Serve.Tests.EndToEnd.Tracing;

/// <summary>A span that came to the collector.</summary>
internal sealed class SpanView(Span span)
{
    private const int Server = 2;
    private const int Error = 2;

    public string Name => span.Name;

    public string Trace { get; } = Hex(span.TraceId);

    public string Id { get; } = Hex(span.SpanId);

    /// <summary>The parent's id; empty: it has none.</summary>
    public string Parent { get; } = Hex(span.ParentSpanId);

    public string TraceState => span.TraceState;

    public bool IsServer => span.Kind == Server;

    public bool IsError => span.Status?.Code == Error;

    public ulong Start => span.StartTimeUnixNano;

    public ulong End => span.EndTimeUnixNano;

    /// <summary>Trace and span of each link.</summary>
    public IReadOnlyList<(string Trace, string Span)> Links { get; } = [.. span.Links.Select(link => (Hex(link.TraceId), Hex(link.SpanId)))];

    /// <summary>The attributes, whose values are text or numbers.</summary>
    public IReadOnlyDictionary<string, string> Attributes { get; } = span.Attributes.ToDictionary(attribute => attribute.Key, Text);

    public static string Text(KeyValue attribute) => attribute.Value.ValueCase switch
    {
        AnyValue.ValueOneofCase.StringValue => attribute.Value.StringValue,
        AnyValue.ValueOneofCase.IntValue => attribute.Value.IntValue.ToString(CultureInfo.InvariantCulture),
        var other => other.ToString(),
    };

    public override string ToString() => $"{Trace} {Id} < {Parent} {Name} {string.Join(' ', Attributes.Select(attribute => $"{attribute.Key}={attribute.Value}"))}";

    private static string Hex(ByteString bytes) => Convert.ToHexStringLower(bytes.Span);
}
