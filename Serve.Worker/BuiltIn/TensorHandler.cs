using System.Text.Encodings.Web;
using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Execution;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// <c>tensor</c>: JSON numbers in, JSON numbers out. One input is a nested list, several are an object of nested lists by
/// name; outputs likewise. A list with the model's full rank is several rows and the answer keeps that dimension; one level
/// less is a single row.
/// </summary>
internal sealed class TensorHandler : IModelHandler, IWarmUp
{
    // As long as a tensor is small it is read to its end, and the answer says what is wrong with its shape.
    private const long AlwaysReadElements = 64 << 10;

    // Remembered in HandlerRequest.State: the client wrote the batch dimension, although it has one row.
    private static readonly object BatchDimensionWritten = new();

    [ThreadStatic]
    private static TensorJsonReader[]? _readers;

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    private ModelSignature? _signature;
    private IReadOnlyList<TensorInfo> _inputs = [];
    private long[] _mostElements = [];
    private RowBatching _batching;

    public void Load(HandlerContext context)
    {
        var signature = context.Signature ?? throw new InvalidModelException("The tensor handler needs an ONNX model.");
        _signature = signature;
        _inputs = signature.Inputs;
        _batching = signature.Batching;
        _mostElements = [.. _inputs.Select(input => MostElements(input, context.Configuration.BatchSize))];
    }

    public void WarmUp(ModelConfiguration configuration)
    {
        // Nothing is decoded but JSON, of which it takes few requests to be compiled.
    }

    public void WriteZeros(InputRow inputs) => ZeroRow.Write(_signature!, inputs);

    public void Preprocess(HandlerRequest request, InputRow inputs)
    {
        var readers = RentReaders();
        try
        {
            Parse(request.Input.Data.Span, readers);
            inputs.Rows = RowsOf(readers, out var batchDimensionWritten);
            if (batchDimensionWritten) request.State = BatchDimensionWritten;
            for (var i = 0; i < _inputs.Count; i++) Store(inputs, _inputs[i], readers[i], batchDimensionWritten);
        }
        finally
        {
            for (var i = 0; i < _inputs.Count; i++) readers[i].Clear();
        }
    }

    public void Postprocess(HandlerRequest request, OutputRow outputs, HandlerResponse response)
    {
        response.ContentType = "application/json";
        var json = _writer ??= new Utf8JsonWriter(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
        json.Reset(response.Body);

        if (outputs.Outputs.Count == 1)
        {
            WriteOutput(json, request, outputs, outputs.Outputs[0]);
        }
        else
        {
            json.WriteStartObject();
            foreach (var output in outputs.Outputs)
            {
                json.WritePropertyName(output.Name);
                WriteOutput(json, request, outputs, output);
            }

            json.WriteEndObject();
        }

        json.Flush();
    }

    public void Dispose()
    {
    }

    private static void WriteOutput(Utf8JsonWriter json, HandlerRequest request, OutputRow outputs, TensorInfo output)
    {
        // Rows above 1 keep the dimension by themselves: the row's shape has it then.
        var wrap = ReferenceEquals(request.State, BatchDimensionWritten) && outputs.Shape(output.Name).Length < output.Shape.Count;
        if (wrap) json.WriteStartArray();
        TensorJsonWriter.Write(json, outputs, output);
        if (wrap) json.WriteEndArray();
    }

    private long MostElements(TensorInfo input, int batchSize)
    {
        var most = TensorSlot.MaxInputBytes / Math.Max(1, input.ElementType.SizeBytes());
        var ofOneRow = input.Shape.Skip(_batching == RowBatching.None ? 0 : 1);
        if (ofOneRow.Any(dimension => dimension < 0)) return most;
        var fixedTo = ofOneRow.Aggregate((double)(_batching == RowBatching.Dynamic ? batchSize : 1), static (product, dimension) => product * dimension);
        return (long)Math.Min(most, Math.Max(fixedTo, AlwaysReadElements));
    }

    private TensorJsonReader[] RentReaders()
    {
        var readers = _readers;
        if (readers is null || readers.Length < _inputs.Count)
        {
            readers = [.. _inputs.Select(_ => new TensorJsonReader())];
            _readers = readers;
        }

        return readers;
    }

    private void Parse(ReadOnlySpan<byte> body, TensorJsonReader[] readers)
    {
        if (body.IsEmpty) throw new BadRequestException("The body is empty; it must be JSON: a nested list, or an object of nested lists by input name.");

        var json = new Utf8JsonReader(body);
        try
        {
            json.Read();
            if (json.TokenType == JsonTokenType.StartObject) ParseObject(ref json, readers);
            else if (_inputs.Count == 1) readers[0].Read(_inputs[0].Name, _inputs[0].ElementType, _mostElements[0], ref json);
            else throw new BadRequestException($"The model has {_inputs.Count} inputs: the body must be an object with the lists {InputNames()}.");

            if (json.Read()) throw new BadRequestException($"Something follows the JSON value at byte {json.TokenStartIndex}.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with invalid UTF-8 or half a surrogate pair.
            throw new BadRequestException($"The body is not valid JSON: {e.Message}", e);
        }

        for (var i = 0; i < _inputs.Count; i++)
        {
            if (!readers[i].IsSet) throw new BadRequestException($"The input '{_inputs[i].Name}' is missing; the model's inputs are {InputNames()}.");
        }
    }

    private void ParseObject(ref Utf8JsonReader json, TensorJsonReader[] readers)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var index = IndexOf(ref json);
            if (index < 0) throw new BadRequestException($"The model has no input '{json.GetString()}' (byte {json.TokenStartIndex}); its inputs are {InputNames()}.");
            if (readers[index].IsSet) throw new BadRequestException($"The input '{_inputs[index].Name}' is there twice, again at byte {json.TokenStartIndex}.");
            json.Read();
            readers[index].Read(_inputs[index].Name, _inputs[index].ElementType, _mostElements[index], ref json);
        }
    }

    private int IndexOf(ref Utf8JsonReader json)
    {
        for (var i = 0; i < _inputs.Count; i++)
        {
            if (json.ValueTextEquals(_inputs[i].Name)) return i;
        }

        return -1;
    }

    private int RowsOf(TensorJsonReader[] readers, out bool batchDimensionWritten)
    {
        batchDimensionWritten = false;
        if (_batching == RowBatching.None) return 1;

        var rows = 1L;
        for (var i = 0; i < _inputs.Count; i++)
        {
            var rank = _inputs[i].Shape.Count;
            var whole = readers[i].Rank == rank;
            if (!whole && readers[i].Rank != rank - 1)
            {
                throw new BadRequestException($"The input '{_inputs[i].Name}' takes lists nested {rank - 1} deep for one row, or {rank} deep for several; the request's are nested {readers[i].Rank} deep.");
            }

            var here = whole ? readers[i].Shape[0] : 1;
            if (i > 0 && (whole != batchDimensionWritten || here != rows))
            {
                throw new BadRequestException($"The inputs do not have the same number of rows: '{_inputs[0].Name}' has {rows}, '{_inputs[i].Name}' {here}.");
            }

            (batchDimensionWritten, rows) = (whole, here);
        }

        if (rows == 0) throw new BadRequestException("The request has no rows.");
        return (int)rows;
    }

    private static void Store(InputRow inputs, TensorInfo input, TensorJsonReader reader, bool batchDimensionWritten)
    {
        var shape = batchDimensionWritten && inputs.Rows == 1 ? reader.Shape[1..] : reader.Shape;
        if (input.ElementType == TensorElement.String) inputs.SetStrings(input.Name, reader.Strings, shape);
        else reader.Bytes.CopyTo(inputs.Allocate(input.Name, shape));
    }

    private string InputNames() => string.Join(", ", _inputs.Select(input => $"'{input.Name}'"));
}
