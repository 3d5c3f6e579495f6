using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;
using Serve.Worker.Execution;

namespace Serve.Worker.Tensors;

/// <summary>Writes the outputs that a request asked for as its answer: each once, from where the execution left it into the frame's body.</summary>
internal sealed class TensorAnswer(ModelSignature signature)
{
    /// <exception cref="OutOfResourcesException">They are too large for an answer.</exception>
    public void Write(HandlerRequest request, RowOutputs outputs, HandlerResponse response)
    {
        Span<long> lengths = signature.Outputs.Count <= 64 ? stackalloc long[signature.Outputs.Count] : new long[signature.Outputs.Count];
        var all = request.Headers.Count == 0;
        var count = 0;
        var total = 0L;
        for (var i = 0; i < lengths.Length; i++)
        {
            lengths[i] = all || request.Wants(signature.Outputs[i].Name) ? LengthOf(outputs, i) : -1;
            if (lengths[i] < 0) continue;
            count++;
            total += lengths[i];
        }

        if (total > Array.MaxLength / 2) throw new OutOfResourcesException($"The outputs of the request have {total} bytes, too many for one answer.");

        response.ContentType = TensorListWriter.ContentType;
        response.Body.GetSpan((int)total + 4096); // once, instead of growing and copying
        var list = new TensorListWriter(response.Body, count);
        for (var i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] >= 0) list.Declare(signature.Outputs[i].Name, signature.Outputs[i].ElementType, outputs.WholeShape(i), lengths[i]);
        }

        for (var i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] < 0) continue;
            if (signature.Outputs[i].ElementType == TensorElement.String) WriteStrings(ref list, outputs, i);
            else list.Write(outputs.Bytes(i));
        }

        list.Complete();
    }

    private long LengthOf(RowOutputs outputs, int output)
    {
        if (signature.Outputs[output].ElementType != TensorElement.String) return outputs.Bytes(output).Length;

        var strings = outputs.CountStrings(output);
        var length = (long)BytesElements.PrefixBytes * strings;
        for (var i = 0; i < strings; i++) length += outputs.StringBytes(output, i).Length;
        return length;
    }

    private static void WriteStrings(ref TensorListWriter list, RowOutputs outputs, int output)
    {
        Span<byte> prefix = stackalloc byte[BytesElements.PrefixBytes];
        var strings = outputs.CountStrings(output);
        for (var i = 0; i < strings; i++)
        {
            var text = outputs.StringBytes(output, i);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(prefix, (uint)text.Length);
            list.Write(prefix);
            list.Write(text);
        }
    }
}
