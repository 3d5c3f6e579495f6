using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Serve.Core.Tracing;

namespace Serve.Frontend.Tracing;

/// <summary>
/// Sends spans to a collector (OTLP over gRPC, or over HTTP), and tries again what it may take later: first after a second,
/// then after twice as long. A collector that is away costs a few tries in half a minute, whatever the load.
/// </summary>
internal sealed class OtlpExport : ISpanExport, IDisposable
{
    private const string GrpcPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    private const int FrameBytes = 5;

    private static readonly MediaTypeHeaderValue Grpc = new("application/grpc");
    private static readonly MediaTypeHeaderValue Protobuf = new("application/x-protobuf");

    private readonly TracingOptions _options;
    private readonly TimeProvider _time;
    private readonly ExportWarnings _warnings;
    private readonly HttpClient _client;
    private readonly Uri _url;

    /// <param name="options">Where and how.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where failures are told, once in a while.</param>
    /// <exception cref="Core.Configuration.ConfigurationException">A certificate cannot be used.</exception>
    public OtlpExport(TracingOptions options, TimeProvider time, ILogger log)
    {
        (_options, _time, _warnings) = (options, time, new ExportWarnings(options.Endpoint, time, log));
        _client = CollectorClient.For(options);
        _url = options.IsGrpc ? new Uri(options.Endpoint.GetLeftPart(UriPartial.Path).TrimEnd('/') + GrpcPath) : options.Endpoint;
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    /// <inheritdoc/>
    public async Task<bool> SendAsync(OtlpSpans spans, CancellationToken ending)
    {
        var began = _time.GetTimestamp();
        for (var pause = _options.FirstPause; ; pause *= 2)
        {
            var answer = await TryAsync(spans, ending).ConfigureAwait(false);
            if (answer.Problem is { } problem) _warnings.Tell(problem);
            if (answer.IsTaken) return true;
            if (answer.After is { } asked && asked > pause) pause = asked;
            if (!answer.MayBeTakenLater || ending.IsCancellationRequested || _time.GetElapsedTime(began) + pause > _options.Patience) return false;
            try
            {
                // Not all servers at once.
                await Task.Delay(pause * (0.8 + 0.4 * Random.Shared.NextDouble()), _time, ending).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    private async Task<Answer> TryAsync(OtlpSpans spans, CancellationToken ending)
    {
        try
        {
            using var request = RequestOf(spans);
            using var response = await _client.SendAsync(request, ending).ConfigureAwait(false);
            var body = await response.Content.ReadAsByteArrayAsync(ending).ConfigureAwait(false);
            return response.StatusCode != HttpStatusCode.OK ? OfHttp(response) : _options.IsGrpc ? OfGrpc(response, body) : Taken(body);
        }
        catch (HttpRequestException e)
        {
            return Answer.Later((e.InnerException ?? e).Message);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return Answer.Later(e is OperationCanceledException && !ending.IsCancellationRequested ? $"no answer within {_options.Timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s" : e.Message);
        }
    }

    private HttpRequestMessage RequestOf(OtlpSpans spans)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, _url)
        {
            Content = _options.IsCompressed ? new ByteArrayContent(Compressed(spans)) : new ReadOnlyMemoryContent(_options.IsGrpc ? spans.Framed : spans.Message),
        };
        request.Content.Headers.ContentType = _options.IsGrpc ? Grpc : Protobuf;
        if (_options.IsGrpc)
        {
            (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
            request.Headers.TryAddWithoutValidation("te", "trailers");
            if (_options.IsCompressed) request.Headers.TryAddWithoutValidation("grpc-encoding", "gzip");
        }
        else if (_options.IsCompressed)
        {
            request.Content.Headers.ContentEncoding.Add("gzip");
        }

        foreach (var (name, value) in _options.Headers) request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private byte[] Compressed(OtlpSpans spans)
    {
        using var bytes = new MemoryStream();
        if (_options.IsGrpc) bytes.SetLength(bytes.Position = FrameBytes);
        using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(spans.Message.Span);
        var packed = bytes.ToArray();
        if (!_options.IsGrpc) return packed;
        packed[0] = 1;
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(packed.AsSpan(1), packed.Length - FrameBytes);
        return packed;
    }

    // OTLP, "OTLP/HTTP response", retryable codes; gateways before a gRPC server say the same.
    private static Answer OfHttp(HttpResponseMessage response)
    {
        var problem = string.Create(CultureInfo.InvariantCulture, $"HTTP {(int)response.StatusCode} {response.ReasonPhrase}").TrimEnd();
        return (int)response.StatusCode is 429 or 502 or 503 or 504 ? Answer.Later(problem, response.Headers.RetryAfter?.Delta) : Answer.Never(problem);
    }

    // An answer without a message has its status among the headers ("Trailers-Only").
    private static Answer OfGrpc(HttpResponseMessage response, byte[] body)
    {
        if (!TryGet(response.TrailingHeaders, "grpc-status", out var text) && !TryGet(response.Headers, "grpc-status", out text)) return Answer.Later("an answer without grpc-status");
        if (text == "0") return Taken(body.AsSpan(Math.Min(FrameBytes, body.Length)));
        var status = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var code) ? (StatusCode)code : StatusCode.Unknown;
        if (!TryGet(response.TrailingHeaders, "grpc-message", out var message)) TryGet(response.Headers, "grpc-message", out message);
        var problem = $"gRPC {status} {Uri.UnescapeDataString(message ?? "")}".TrimEnd();

        // OTLP, "OTLP/gRPC response", retryable codes. RESOURCE_EXHAUSTED is one only with a time, which is in a message of its own.
        return status is StatusCode.Cancelled or StatusCode.DeadlineExceeded or StatusCode.Aborted or StatusCode.OutOfRange or StatusCode.Unavailable or StatusCode.DataLoss
            ? Answer.Later(problem)
            : Answer.Never(problem);
    }

    private static bool TryGet(HttpResponseHeaders headers, string name, out string? value)
    {
        value = headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;
        return value is not null;
    }

    // ExportTraceServiceResponse: a collector may have refused some spans, which is no reason to send any of them again.
    private static Answer Taken(ReadOnlySpan<byte> response)
    {
        if (response.IsEmpty) return Answer.Taken;
        try
        {
            var (rejected, why) = PartialSuccess(response.ToArray());
            return rejected == 0 && why.Length == 0 ? Answer.Taken : Answer.Taken with { Problem = $"the collector refused {rejected} spans: {why}" };
        }
        catch (InvalidProtocolBufferException)
        {
            return Answer.Taken;
        }
    }

    private static (long Rejected, string Why) PartialSuccess(byte[] response)
    {
        var (rejected, why) = (0L, "");
        var input = new CodedInputStream(response);
        for (var tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            if (tag != WireFormat.MakeTag(1, WireFormat.WireType.LengthDelimited))
            {
                input.SkipLastField();
                continue;
            }

            var part = new CodedInputStream(input.ReadBytes().ToByteArray());
            for (var inner = part.ReadTag(); inner != 0; inner = part.ReadTag())
            {
                if (inner == WireFormat.MakeTag(1, WireFormat.WireType.Varint)) rejected = part.ReadInt64();
                else if (inner == WireFormat.MakeTag(2, WireFormat.WireType.LengthDelimited)) why = part.ReadString();
                else part.SkipLastField();
            }
        }

        return (rejected, why);
    }

    /// <summary>What the collector said.</summary>
    /// <param name="IsTaken">It has the spans.</param>
    /// <param name="MayBeTakenLater">Another try may help.</param>
    /// <param name="Problem">What there is to be told; null: nothing.</param>
    /// <param name="After">When the collector wants to be asked again; null: it does not say.</param>
    private sealed record Answer(bool IsTaken, bool MayBeTakenLater, string? Problem, TimeSpan? After)
    {
        public static Answer Taken { get; } = new(true, false, null, null);

        public static Answer Later(string problem, TimeSpan? after = null) => new(false, true, problem, after);

        public static Answer Never(string problem) => new(false, false, problem, null);
    }
}
