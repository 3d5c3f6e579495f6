using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Google.Protobuf.Collections;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Tensors;
using Serve.Frontend.OpenInference.Messages;
using InputMessage = Serve.Frontend.OpenInference.Messages.ModelInferRequest.Types.InferInputTensor;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>Reads a request from its message: raw contents stay where they are, typed ones are added behind them.</summary>
internal static class GrpcRequest
{
    /// <summary>Reads a request.</summary>
    /// <param name="call">Its payload stays the caller's, and grows by typed contents.</param>
    /// <param name="mostBytes">The most that the payload may have then.</param>
    /// <exception cref="BadRequestException">It is no such request.</exception>
    /// <exception cref="PayloadTooLargeException">Its tensors have more bytes: numbers may be shorter in a message than in a tensor.</exception>
    public static TensorRequest Read(TensorCall call, long mostBytes)
    {
        var message = call.Message;
        if (message.Inputs.Count > TensorRequest.MostTensors || message.Outputs.Count > TensorRequest.MostTensors) throw new BadRequestException($"a request may have at most {TensorRequest.MostTensors} inputs and as many outputs");
        if (message.Id.Length > TensorRequest.LongestName) throw new BadRequestException($"'id' may have at most {TensorRequest.LongestName} characters");
        var request = new TensorRequest { Id = message.Id };
        foreach (var (name, value) in message.Parameters) RequestParameters.Add(request, name, Value(name, value), RequestForm.Grpc);
        var raw = 0;
        foreach (var input in message.Inputs) request.Inputs.Add(ReadInput(input, call, mostBytes, ref raw));
        if (raw != call.Raw.Count && call.Raw.Count > 0) throw new BadRequestException($"expected {raw} raw_input_contents, one for each input, got {call.Raw.Count} for model '{message.ModelName}'");
        foreach (var output in message.Outputs)
        {
            var requested = new RequestedOutput(Name(output.Name, "an output"));
            var place = default(SharedMemoryFields);
            foreach (var (name, value) in output.Parameters)
            {
                // How tensors travel is decided here: always raw.
                if (name == "binary_data" || !TensorParameters.IsOfOutput(name)) continue;
                var read = Value(name, value);
                if (!place.TryAdd(name, read)) TensorParameters.Add(requested, name, read);
            }

            TensorParameters.Place(requested, place);
            request.Outputs.Add(requested);
        }

        return request;
    }

    private static TensorInput ReadInput(InputMessage message, TensorCall call, long mostBytes, ref int raw)
    {
        var input = new TensorInput
        {
            Name = Name(message.Name, "an input"),
            Element = Datatypes.TryParse(message.Datatype.AsSpan(), out var element) ? element : throw new BadRequestException($"input '{message.Name}': '{(message.Datatype.Length > 40 ? message.Datatype[..40] : message.Datatype)}' is no datatype"),
        };
        if (message.Shape.Count > TensorShape.MostDimensions) throw new BadRequestException($"input '{input.Name}': 'shape' may have at most {TensorShape.MostDimensions} dimensions");
        input.Shape = TensorRequestCheck.Shape(input.Name, [.. message.Shape]);
        var place = default(SharedMemoryFields);
        foreach (var (name, value) in message.Parameters)
        {
            if (SharedMemoryFields.HasField(name)) place.TryAdd(name, Value(name, value));
        }

        TensorParameters.Place(input, place);
        if (input.Source == TensorSource.SharedMemory)
        {
            if (message.Contents is not null) throw new BadRequestException($"input '{input.Name}' must have either 'contents' or 'shared_memory_region'");
            return input;
        }

        if (call.Raw.Count == 0)
        {
            ReadContents(input, message.Contents ?? new InferTensorContents(), new Target(call.Payload, mostBytes));
            return input;
        }

        if (message.Contents is not null) throw new BadRequestException($"contents field must not be specified when using raw_input_contents for '{input.Name}' for model '{call.Message.ModelName}'");
        if (raw == call.Raw.Count) throw new BadRequestException($"input '{input.Name}' has no entry in raw_input_contents, which has {call.Raw.Count}");
        (input.Source, input.Offset, input.Length) = (TensorSource.Binary, call.Raw[raw].Offset, call.Raw[raw].Length);
        raw++;
        return input;
    }

    private static void ReadContents(TensorInput input, InferTensorContents contents, Target target)
    {
        var payload = target.Payload;
        input.Offset = payload.Body.Length;
        var elements = input.Element switch
        {
            TensorElement.Bool => Write(contents.BoolContents, target, static value => value ? (byte)1 : (byte)0),
            TensorElement.Int8 => Write(contents.IntContents, target, value => InRange(input, value, sbyte.MinValue, sbyte.MaxValue) ? (sbyte)value : (sbyte)0),
            TensorElement.Int16 => Write(contents.IntContents, target, value => InRange(input, value, short.MinValue, short.MaxValue) ? (short)value : (short)0),
            TensorElement.Int32 => Write(contents.IntContents, target, static value => value),
            TensorElement.Int64 => Write(contents.Int64Contents, target, static value => value),
            TensorElement.UInt8 => Write(contents.UintContents, target, value => InRange(input, value, byte.MinValue, byte.MaxValue) ? (byte)value : (byte)0),
            TensorElement.UInt16 => Write(contents.UintContents, target, value => InRange(input, value, ushort.MinValue, ushort.MaxValue) ? (ushort)value : (ushort)0),
            TensorElement.UInt32 => Write(contents.UintContents, target, static value => value),
            TensorElement.UInt64 => Write(contents.Uint64Contents, target, static value => value),
            TensorElement.Float32 => Write(contents.Fp32Contents, target, static value => value),
            TensorElement.Float64 => Write(contents.Fp64Contents, target, static value => value),
            TensorElement.String => WriteBytes(contents, target),
            _ => Others(contents) == 0 && TensorShape.TryCount(input.Shape, out var none) && none == 0
                ? 0
                : throw new BadRequestException($"unexpected explicit tensor data for input tensor '{input.Name}' of type '{input.Element.Datatype()}'. Please use raw_input_contents"),
        };
        if (Others(contents) != elements) throw new BadRequestException($"input '{input.Name}' has contents that are not of its datatype '{input.Element.Datatype()}'");
        if (!TensorShape.TryCount(input.Shape, out var count) || count != elements) throw new BadRequestException($"input '{input.Name}': the shape {TensorShape.Text(input.Shape)} needs {count} elements, and 'contents' has {elements}");
        (input.Source, input.Length) = (TensorSource.Parsed, payload.Body.Length - input.Offset);
    }

    // All elements, of whatever field.
    private static int Others(InferTensorContents contents) =>
        contents.BoolContents.Count + contents.IntContents.Count + contents.Int64Contents.Count + contents.UintContents.Count + contents.Uint64Contents.Count
        + contents.Fp32Contents.Count + contents.Fp64Contents.Count + contents.BytesContents.Count;

    private static bool InRange(TensorInput input, long value, long least, long most) =>
        value >= least && value <= most ? true : throw new BadRequestException($"input '{input.Name}': {value} is not a whole number from {least} to {most}");

    private static int Write<TValue, TElement>(RepeatedField<TValue> values, Target target, Func<TValue, TElement> convert)
        where TElement : unmanaged
    {
        var bytes = target.Room((long)values.Count * Unsafe.SizeOf<TElement>());
        var elements = MemoryMarshal.Cast<byte, TElement>(target.Payload.GetSpan(bytes)[..bytes]);
        for (var i = 0; i < elements.Length; i++) elements[i] = convert(values[i]);
        target.Payload.Advance(bytes);
        return values.Count;
    }

    private static int WriteBytes(InferTensorContents contents, Target target)
    {
        foreach (var value in contents.BytesContents)
        {
            target.Room(BytesElements.PrefixBytes + (long)value.Length);
            BytesElements.Write(target.Payload, value.Span);
        }

        return contents.BytesContents.Count;
    }

    private static string Name(string name, string what) =>
        name.Length is > 0 and <= TensorRequest.LongestName ? name : throw new BadRequestException($"the name of {what} must have 1 to {TensorRequest.LongestName} characters");

    private static ParameterValue Value(string name, InferParameter value) => value.ParameterChoiceCase switch
    {
        InferParameter.ParameterChoiceOneofCase.BoolParam => ParameterValue.Of(value.BoolParam),
        InferParameter.ParameterChoiceOneofCase.Int64Param => new(ParameterKind.Whole, value.Int64Param.ToString(CultureInfo.InvariantCulture)),
        InferParameter.ParameterChoiceOneofCase.Uint64Param => new(ParameterKind.Whole, value.Uint64Param.ToString(CultureInfo.InvariantCulture)),
        InferParameter.ParameterChoiceOneofCase.DoubleParam => new(ParameterKind.Real, value.DoubleParam.ToString("R", CultureInfo.InvariantCulture)),
        InferParameter.ParameterChoiceOneofCase.StringParam => new(ParameterKind.Text, value.StringParam),
        _ => throw new BadRequestException($"parameter '{ShownText.Of(name)}' has no value"),
    };

    /// <summary>Where elements go, and how many bytes it may have.</summary>
    private readonly record struct Target(RequestPayload Payload, long MostBytes)
    {
        /// <summary>So many bytes, for which there is room.</summary>
        /// <exception cref="PayloadTooLargeException">There is none.</exception>
        public int Room(long bytes) => Payload.Body.Length + bytes <= Math.Min(MostBytes, Array.MaxLength) ? (int)bytes : throw new PayloadTooLargeException(MostBytes);
    }
}
