using System.Buffers.Binary;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Observability;
using Serve.Core.Tracing;
using Serve.Tests.EndToEnd.Tracing;
using Serve.Tests.EndToEnd.Tracing.Otlp;

namespace Serve.Tests.Core.Tracing;

/// <summary>The messages that a collector gets, read by the code that Protocol Buffers' own compiler has made.</summary>
public sealed class OtlpSpansTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Now);
    private readonly OtlpSpans _spans;

    public OtlpSpansTests()
    {
        var clock = new WallClock(_time);
        clock.Set();
        _spans = new OtlpSpans([KeyValuePair.Create("service.name", "vision"), KeyValuePair.Create("where", "Köln")], "1.2.3", clock);
    }

    [Fact]
    public void Everything_that_a_span_says_arrives()
    {
        var start = _time.GetTimestamp();
        _spans.Begin(new UInt128(0x0102030405060708, 0x090a0b0c0d0e0f10), 0xfedcba9876543210, 0xff, isServer: true, start, start + 3 * _time.TimestampFrequency);
        _spans.State("a=b");
        _spans.Name("POST", "/predictions/{model}");
        string[] texts = ["", "x", "ä€😀", new('y', 127), new('y', 128), new('z', 20_000)];
        foreach (var text in texts) _spans.Attribute(Encoding.ASCII.GetBytes($"text {text.Length}"), text);
        long[] numbers = [0, 1, 127, 128, 16_383, 16_384, long.MaxValue];
        foreach (var number in numbers) _spans.Attribute(Encoding.ASCII.GetBytes($"number {number}"), number);
        _spans.Attribute("none"u8, null);
        _spans.Link(7, 8);
        _spans.Failed();
        _spans.End();
        _spans.Begin(1, 2, parent: 0, isServer: false, start, start - 5);
        _spans.Name("short");
        _spans.End();
        _spans.Complete();

        var message = ExportTraceServiceRequest.Parser.ParseFrom(_spans.Message.Span);
        var of = Assert.Single(message.ResourceSpans);
        Assert.Equal(["service.name=vision", "where=Köln"], of.Resource.Attributes.Select(attribute => $"{attribute.Key}={SpanView.Text(attribute)}"));
        var spans = Assert.Single(of.ScopeSpans).Spans;
        Assert.Equal(2, spans.Count);
        var span = spans[0];
        var view = new SpanView(span);
        Assert.Equal(("0102030405060708090a0b0c0d0e0f10", "fedcba9876543210", "00000000000000ff", "a=b"), (view.Trace, view.Id, view.Parent, view.TraceState));
        Assert.Equal(("POST /predictions/{model}", true, true), (view.Name, view.IsServer, view.IsError));
        Assert.Equal(texts, span.Attributes.Where(attribute => attribute.Key.StartsWith("text", StringComparison.Ordinal)).Select(attribute => attribute.Value.StringValue));
        Assert.Equal(numbers, span.Attributes.Where(attribute => attribute.Key.StartsWith("number", StringComparison.Ordinal)).Select(attribute => attribute.Value.IntValue));
        Assert.DoesNotContain(span.Attributes, attribute => attribute.Key == "none");
        Assert.Equal([("00000000000000000000000000000007", "0000000000000008")], view.Links);
        Assert.Equal(((ulong)Now.ToUnixTimeMilliseconds() * 1_000_000, 3_000_000_000UL), (view.Start, view.End - view.Start));

        // Without a parent; and no span ends before it has begun.
        Assert.Equal(("", false, spans[1].StartTimeUnixNano), (new SpanView(spans[1]).Parent, new SpanView(spans[1]).IsServer, spans[1].EndTimeUnixNano));
    }

    [Fact]
    public void What_is_said_again_is_copied_and_made_anew_where_it_differs()
    {
        var made = 0;
        (string Path, int Port)[] requests = [("/a", 1), ("/a", 1), ("/a", 2), ("/a", 1), ("/\u00e4", 1), ("/\u00e4", 1)];
        foreach (var request in requests)
        {
            _spans.Begin(1, 2, 3, isServer: true, 0, 0);
            _spans.Repeated(request, (spans, parts) =>
            {
                made++;
                spans.Name(parts.Path);
                spans.Attribute("port"u8, parts.Port);
            });
            _spans.Of("m", $"{request.Port}.0");
            _spans.End();
        }

        _spans.Complete();
        var spans = ExportTraceServiceRequest.Parser.ParseFrom(_spans.Message.Span).ResourceSpans[0].ScopeSpans[0].Spans;
        Assert.Equal(4, made);
        Assert.Equal(requests, spans.Select(span => (span.Name, (int)span.Attributes[0].Value.IntValue)));
        Assert.Equal(requests.Select(request => $"m {request.Port}.0"), spans.Select(span => $"{span.Attributes[1].Value.StringValue} {span.Attributes[2].Value.StringValue}"));
    }

    [Fact]
    public void A_message_is_used_again_and_framed_as_gRPC_has_it()
    {
        foreach (var name in (string[])[new('a', 100_000), "b", "half a pair: \ud83d"])
        {
            _spans.Begin(1, 2, 3, isServer: false, 0, 0);
            _spans.Name(name);
            _spans.End();
            _spans.Complete();
            Assert.Equal(name.Replace('\ud83d', '\ufffd'), ExportTraceServiceRequest.Parser.ParseFrom(_spans.Message.Span).ResourceSpans[0].ScopeSpans[0].Spans.Single().Name);
            Assert.Equal((0, _spans.Message.Length, _spans.Message.Length + 5), (_spans.Framed.Span[0], BinaryPrimitives.ReadInt32BigEndian(_spans.Framed.Span[1..]), _spans.Framed.Length));
            _spans.Clear();
        }
    }
}
