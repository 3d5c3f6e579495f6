using System.Buffers;
using System.Text;
using Google.Protobuf;
using Serve.Core.Memory;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>
/// A ModelInferRequest as it is read here: raw contents lie in the payload that the worker gets since they arrived
/// (<see cref="TensorPlaces"/>), or go there now, one copy more; the generated parser reads the rest, which is small. It would
/// put each tensor into an array of its own first.
/// </summary>
/// <param name="Message">Everything but the raw contents.</param>
/// <param name="Payload">Their bytes, among others of the message or one after the other; who takes the call takes it over.</param>
/// <param name="Raw">Where each of them is.</param>
internal sealed record TensorCall(ModelInferRequest Message, RequestPayload Payload, List<(int Offset, int Length)> Raw)
{
    private const uint ModelField = ModelInferRequest.ModelNameFieldNumber;
    private const uint VersionField = ModelInferRequest.ModelVersionFieldNumber;
    private const uint RawField = ModelInferRequest.RawInputContentsFieldNumber;
    private const int FieldBytes = 16;
    private const int LengthDelimited = 2;

    /// <summary>Reads a message.</summary>
    /// <param name="message">Its bytes.</param>
    /// <param name="bodiesOf">Where the workers of a model's version read bodies, by both names; null, or what it returns: nowhere.</param>
    /// <exception cref="InvalidProtocolBufferException">It is none.</exception>
    public static TensorCall Read(in ReadOnlySequence<byte> message, Func<string, string, SharedBodies?>? bodiesOf = null)
    {
        RequestPayload? payload = null;
        var isPlaced = false;
        var (model, version) = (ReadOnlySequence<byte>.Empty, ReadOnlySequence<byte>.Empty);
        using var rest = new PooledBuffer(1024);
        try
        {
            List<(int, int)> raw = [];
            var reader = new SequenceReader<byte>(message);
            while (!reader.End)
            {
                var start = reader.Position;
                if (!TryReadField(ref reader, out var field, out var content))
                {
                    // Whatever is wrong with it, the parser says so.
                    CopyTo(message.Slice(start), rest);
                    break;
                }

                if (field == RawField)
                {
                    if (payload is null && PlacedMessage.Hold(message) is { } placed) (payload, isPlaced) = (placed, true);

                    // Writers write fields in the order of their numbers: whose they are has come.
                    payload ??= RequestPayload.Rent(MostOf(message), bodiesOf?.Invoke(Encoding.UTF8.GetString(model), Encoding.UTF8.GetString(version))?.TryTake(message.Length));
                    raw.Add((isPlaced ? (int)(reader.Consumed - content.Length) : payload.Body.Length, (int)content.Length));
                    if (!isPlaced) CopyTo(content, payload);
                }
                else
                {
                    if (field == ModelField) model = content;
                    else if (field == VersionField) version = content;
                    CopyTo(message.Slice(start, reader.Position), rest);
                }
            }

            payload ??= RequestPayload.Rent(MostOf(message));
            var request = ModelInferRequest.Parser.ParseFrom(rest.Written.Span);
            foreach (var left in request.RawInputContents)
            {
                // Behind a field that only the parser knows how to skip.
                raw.Add((payload.Body.Length, left.Length));
                payload.Write(left.Span);
            }

            request.RawInputContents.Clear();
            return new TensorCall(request, payload, raw);
        }
        catch
        {
            payload?.Release();
            throw;
        }
    }

    /// <summary>Whether the generated parser gets more than so much of a message; raw contents are not for it.</summary>
    /// <param name="message">Its bytes.</param>
    /// <param name="most">So many bytes; a field counts for no less than <see cref="FieldBytes"/>, so that this ends soon.</param>
    public static bool IsMoreToParse(in ReadOnlySequence<byte> message, long most)
    {
        var (parsed, seen) = (0L, 0L);
        var reader = new SequenceReader<byte>(message);
        while (!reader.End && TryReadField(ref reader, out var field, out var content))
        {
            var bytes = reader.Consumed - seen - (field == RawField ? content.Length : 0);
            seen = reader.Consumed;
            parsed += Math.Max(bytes, FieldBytes);
            if (parsed > most) return true;
        }

        return parsed + reader.Remaining > most;
    }

    private static int MostOf(in ReadOnlySequence<byte> message) => (int)Math.Min(message.Length, 64 << 20);

    // The number is 0 for fields that are not of raw contents' wire type.
    private static bool TryReadField(ref SequenceReader<byte> reader, out uint field, out ReadOnlySequence<byte> content)
    {
        (field, content) = (0, default);
        if (!TryReadVarint(ref reader, out var wide)) return false;

        // Tags and lengths have 32 bits; what a varint has beyond is dropped, as the parser does.
        var tag = (uint)wide;
        switch (tag & 7)
        {
            case 0:
                return TryReadVarint(ref reader, out _);
            case 1:
                return TrySkip(ref reader, sizeof(ulong));
            case 5:
                return TrySkip(ref reader, sizeof(uint));
            case LengthDelimited:
                if (!TryReadVarint(ref reader, out wide) || (int)wide < 0 || (int)wide > reader.Remaining) return false;
                content = reader.Sequence.Slice(reader.Position, (int)wide);
                reader.Advance((int)wide);
                field = tag >> 3;
                return true;
            default:
                return false;
        }
    }

    private static bool TrySkip(ref SequenceReader<byte> reader, int count)
    {
        if (reader.Remaining < count) return false;
        reader.Advance(count);
        return true;
    }

    private static bool TryReadVarint(ref SequenceReader<byte> reader, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (!reader.TryRead(out var next)) return false;
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return true;
        }

        return false;
    }

    private static void CopyTo(in ReadOnlySequence<byte> bytes, IBufferWriter<byte> target)
    {
        foreach (var segment in bytes) target.Write(segment.Span);
    }
}
