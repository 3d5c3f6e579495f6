using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Memory;
using Serve.Core.Protocol;
using Serve.Core.Tracing;
using Serve.Frontend.Inference;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Grpc;

/// <summary>What a worker is told about a call: its metadata as headers, its inputs as parts.</summary>
internal static class CallPayload
{
    private const int MostParts = 1000;

    // TorchServe's name.
    private const string SequenceHeader = "ts_request_sequence_id";

    /// <summary>Makes the payload of a call.</summary>
    /// <exception cref="ServeException">400: no inputs, or too many; 413.</exception>
    /// <param name="request">The call's message.</param>
    /// <param name="context">The call.</param>
    /// <param name="maxRequestBytes">The most that its inputs may have together.</param>
    /// <param name="bodies">Where the version's workers read bodies; null: nowhere.</param>
    /// <param name="trace">What is noted of it; null: it is not traced.</param>
    public static RequestPayload Of(PredictionsRequest request, ServerCallContext context, long maxRequestBytes, SharedBodies? bodies, RequestTrace? trace)
    {
        if (request.Input.Count == 0) throw new BadRequestException("Parameter input is required: a map of names to bytes; stock handlers read data.");
        if (request.Input.Count > MostParts) throw new BadRequestException($"There are {request.Input.Count} inputs; at most {MostParts} are allowed.");
        var bytes = request.Input.Sum(static input => (long)input.Value.Length);
        if (bytes > maxRequestBytes) throw new PayloadTooLargeException(maxRequestBytes);
        if (request.Input.Keys.FirstOrDefault(static name => name.Length > MultipartReader.LongestValue) is { } tooLong)
        {
            throw new BadRequestException($"The name of an input has {tooLong.Length} letters; at most {MultipartReader.LongestValue} are allowed.");
        }

        var payload = RequestPayload.Rent((int)bytes, bodies?.TryTake(bytes));
        try
        {
            payload.RequestId = CommonHeaders.IdOf(context.GetHttpContext());
            payload.Follow(trace);
            foreach (var entry in MetadataOf(context))
            {
                if (trace is null || !TracedPayload.IsOfTrace(entry.Key)) payload.AddHeader(entry.Key, entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value);
            }

            if (request.HasSequenceId) payload.AddHeader(SequenceHeader, request.SequenceId);
            foreach (var (name, value) in request.Input)
            {
                var offset = payload.Body.Length;
                value.Span.CopyTo(payload.GetSpan(value.Length));
                payload.Advance(value.Length);
                payload.AddPart(name, null, offset, value.Length);
            }

            return payload;
        }
        catch
        {
            payload.Release();
            throw;
        }
    }

    private static Metadata MetadataOf(ServerCallContext context)
    {
        try
        {
            return context.RequestHeaders;
        }
        catch (FormatException error)
        {
            // Read when it is asked for, by the library: the values of names that end in -bin are base64.
            throw new BadRequestException($"The call's metadata cannot be read: {error.Message}", error);
        }
    }
}
