using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Core.Tensors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// Reads a request's JSON in one pass, the elements of its tensors straight into their type. Strict: a key that stands
/// twice, invalid UTF-8, something after the end, nesting deeper than 100, are errors that say where. What the protocol does
/// not know is ignored.
/// </summary>
internal ref struct RequestJsonReader
{
    /// <summary>How deep JSON may be nested, as with Triton.</summary>
    public const int MostDepth = 100;

    // Of a parameter. Those of 64 bits have a twentieth of that when they are written out.
    private const int LongestNumber = 400;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MostDepth };
    private static readonly byte[][] RequestKeys = ["id"u8.ToArray(), "parameters"u8.ToArray(), "inputs"u8.ToArray(), "outputs"u8.ToArray()];
    private static readonly byte[][] InputKeys = ["name"u8.ToArray(), "shape"u8.ToArray(), "datatype"u8.ToArray(), "parameters"u8.ToArray(), "data"u8.ToArray()];
    private static readonly byte[][] OutputKeys = ["name"u8.ToArray(), "parameters"u8.ToArray()];

    private readonly ReadOnlySpan<byte> _text;
    private readonly TensorRequest _request;
    private readonly RequestPayload _tensors;
    private readonly long _mostBytes;
    private Utf8JsonReader _json;

    private RequestJsonReader(ReadOnlySpan<byte> text, TensorRequest request, RequestPayload tensors, long mostBytes)
    {
        _text = text;
        (_request, _tensors, _mostBytes) = (request, tensors, mostBytes);
        _json = new Utf8JsonReader(text, Options);
    }

    /// <summary>Reads a request.</summary>
    /// <param name="text">The JSON.</param>
    /// <param name="request">What it says is added here.</param>
    /// <param name="tensors">Elements are added to its body.</param>
    /// <param name="mostBytes">The most that they may have.</param>
    /// <exception cref="BadRequestException">It is not such a request.</exception>
    /// <exception cref="PayloadTooLargeException">It has more elements.</exception>
    public static void Read(ReadOnlySpan<byte> text, TensorRequest request, RequestPayload tensors, long mostBytes)
    {
        if (!Utf8.IsValid(text)) throw new BadRequestException("failed to parse the request JSON buffer: it is not valid UTF-8");
        try
        {
            new RequestJsonReader(text, request, tensors, mostBytes).Read();
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"failed to parse the request JSON buffer: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // Half a surrogate pair, escaped.
            throw new BadRequestException($"failed to parse the request JSON buffer: {e.Message}", e);
        }
    }

    private void Read()
    {
        _json.Read();
        Expect(JsonTokenType.StartObject, "the request", "an object");
        var keys = default(Keys);
        while (true)
        {
            switch (Next(ref keys, RequestKeys))
            {
                case 0:
                    _request.Id = Text("'id'", isEmptyAllowed: true);
                    break;
                case 1:
                    ReadParameters();
                    break;
                case 2:
                    Expect(JsonTokenType.StartArray, "'inputs'", "a list");
                    while (NextItem(_request.Inputs.Count, "inputs")) ReadInput();
                    break;
                case 3:
                    Expect(JsonTokenType.StartArray, "'outputs'", "a list");
                    while (NextItem(_request.Outputs.Count, "outputs")) ReadOutput();
                    break;
                default:
                    // Throws if anything follows.
                    _json.Read();
                    if (!keys.Has(2)) throw new BadRequestException("the request has no 'inputs'");
                    return;
            }
        }
    }

    private void ReadInput()
    {
        Expect(JsonTokenType.StartObject, "an input", "an object");
        var input = new TensorInput();
        var keys = default(Keys);
        var (isParsed, dataAt, dataEnd, at) = (false, 0, 0, (int)_json.TokenStartIndex);
        while (true)
        {
            switch (Next(ref keys, InputKeys))
            {
                case 0:
                    input.Name = Text("an input's 'name'");
                    continue;
                case 1:
                    input.Shape = ReadShape(input.Name);
                    continue;
                case 2:
                    Expect(JsonTokenType.String, "a 'datatype'", "a text");
                    input.Element = Datatypes.TryParse(_json.ValueSpan, out var element) ? element : throw new BadRequestException($"input '{input.Name}': '{Shown(_json.ValueSpan)}' is no datatype (byte {_json.TokenStartIndex})");
                    continue;
                case 3:
                    ReadParameters(input);
                    continue;
                case 4:
                    dataAt = (int)_json.TokenStartIndex;
                    if (keys.Has(1) && keys.Has(2))
                    {
                        JsonTensorReader.Read(ref _json, 0, _text.Length, input, _tensors, _mostBytes);
                        isParsed = true;
                    }
                    else
                    {
                        // What the elements are comes later.
                        _json.Skip();
                        dataEnd = (int)_json.BytesConsumed;
                    }

                    continue;
            }

            break;
        }

        if (!keys.Has(0)) throw new BadRequestException($"an input has no 'name' (byte {at})");
        if (!keys.Has(1)) throw new BadRequestException($"input '{input.Name}' has no 'shape'");
        if (!keys.Has(2)) throw new BadRequestException($"input '{input.Name}' has no 'datatype'");
        if (keys.Has(4) == (input.Source is TensorSource.Binary or TensorSource.SharedMemory))
        {
            throw new BadRequestException($"input '{input.Name}' must have exactly one of 'data', 'binary_data_size' and 'shared_memory_region'");
        }

        if (keys.Has(4) && !isParsed)
        {
            var later = new Utf8JsonReader(_text[dataAt..dataEnd], Options);
            later.Read();
            JsonTensorReader.Read(ref later, dataAt, dataEnd - dataAt, input, _tensors, _mostBytes);
        }

        if (keys.Has(4)) input.Source = TensorSource.Parsed;
        _request.Inputs.Add(input);
    }

    private void ReadOutput()
    {
        Expect(JsonTokenType.StartObject, "an output", "an object");
        var keys = default(Keys);
        var (name, at) = ("", _json.TokenStartIndex);
        var output = new RequestedOutput("");
        while (true)
        {
            switch (Next(ref keys, OutputKeys))
            {
                case 0:
                    name = Text("an output's 'name'");
                    continue;
                case 1:
                    ReadParameters(output: output);
                    continue;
            }

            break;
        }

        if (!keys.Has(0)) throw new BadRequestException($"an output has no 'name' (byte {at})");
        _request.Outputs.Add(output with { Name = name });
    }

    // Of the request, of an input or of an output.
    private void ReadParameters(TensorInput? input = null, RequestedOutput? output = null)
    {
        Expect(JsonTokenType.StartObject, "'parameters'", "an object");
        var place = new SharedMemoryFields();
        HashSet<string>? names = null;
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            var name = _json.GetString()!;
            names ??= [];
            if (!names.Add(name)) throw Twice(name);
            if (names.Count > TensorRequest.MostParameters) throw new BadRequestException($"at most {TensorRequest.MostParameters} parameters may stand together (byte {_json.TokenStartIndex})");
            _json.Read();
            if (input is null ? output is not null && !TensorParameters.IsOfOutput(name) : !TensorParameters.IsOfInput(name))
            {
                // Whatever its value is: Triton looks only for those that it knows.
                _json.Skip();
                continue;
            }

            var value = Value(name);
            if (input is null && output is null) RequestParameters.Add(_request, name, value, RequestForm.Rest);
            else if (place.TryAdd(name, value)) continue;
            else if (input is not null) TensorParameters.SetBinary(input, value);
            else TensorParameters.Add(output!, name, value);
        }

        if (input is not null) TensorParameters.Place(input, place);
        if (output is not null) TensorParameters.Place(output, place);
    }

    private readonly ParameterValue Value(string name) => _json.TokenType switch
    {
        JsonTokenType.String => new(ParameterKind.Text, _json.GetString()!),
        JsonTokenType.True => ParameterValue.Of(true),
        JsonTokenType.False => ParameterValue.Of(false),
        JsonTokenType.Number when _json.ValueSpan.Length > LongestNumber => throw new BadRequestException($"parameter '{ShownText.Of(name)}' is a number of {_json.ValueSpan.Length} characters, and may have {LongestNumber} (byte {_json.TokenStartIndex})"),
        JsonTokenType.Number => new(_json.ValueSpan.ContainsAny((byte)'.', (byte)'e', (byte)'E') ? ParameterKind.Real : ParameterKind.Whole, Encoding.UTF8.GetString(_json.ValueSpan)),
        _ => throw new BadRequestException($"parameter '{ShownText.Of(name)}' must be a text, a number, true or false (byte {_json.TokenStartIndex})"),
    };

    private long[] ReadShape(string input)
    {
        Expect(JsonTokenType.StartArray, "a 'shape'", "a list");
        Span<long> shape = stackalloc long[TensorShape.MostDimensions];
        var rank = 0;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.Number || !_json.TryGetInt64(out var dimension) || dimension < 0)
            {
                throw new BadRequestException($"input '{input}': a dimension of 'shape' must be a whole number from 0, not {Shown(_json.ValueSpan)} (byte {_json.TokenStartIndex})");
            }

            if (rank == shape.Length) throw new BadRequestException($"input '{input}': 'shape' may have at most {shape.Length} dimensions (byte {_json.TokenStartIndex})");
            shape[rank++] = dimension;
        }

        return TensorRequestCheck.Shape(input, shape[..rank]);
    }

    // The next member that is known, its value's first token read; -1 after the last. Others are skipped.
    private int Next(ref Keys keys, byte[][] known)
    {
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            for (var i = 0; i < known.Length; i++)
            {
                if (!_json.ValueTextEquals(known[i])) continue;
                if (keys.Has(i)) throw Twice(_json.GetString()!);
                keys.Known |= 1u << i;
                _json.Read();
                return i;
            }

            var name = _json.GetString()!;
            keys.Others ??= [];
            if (!keys.Others.Add(name)) throw Twice(name);
            if (keys.Others.Count > TensorRequest.MostParameters) throw new BadRequestException($"an object has more than {TensorRequest.MostParameters} members that mean nothing (byte {_json.TokenStartIndex})");
            _json.Read();
            _json.Skip();
        }

        return -1;
    }

    private bool NextItem(int count, string what)
    {
        _json.Read();
        if (_json.TokenType == JsonTokenType.EndArray) return false;
        return count < TensorRequest.MostTensors ? true : throw new BadRequestException($"a request may have at most {TensorRequest.MostTensors} {what}");
    }

    private readonly string Text(string what, bool isEmptyAllowed = false)
    {
        Expect(JsonTokenType.String, what, "a text");
        var text = _json.GetString()!;
        if (text.Length > TensorRequest.LongestName || (text.Length == 0 && !isEmptyAllowed)) throw new BadRequestException($"{what} must have 1 to {TensorRequest.LongestName} characters (byte {_json.TokenStartIndex})");
        return text;
    }

    private readonly void Expect(JsonTokenType type, string what, string kind)
    {
        if (_json.TokenType != type) throw new BadRequestException($"{what} must be {kind} (byte {_json.TokenStartIndex})");
    }

    private readonly BadRequestException Twice(string name) => new($"failed to parse the request JSON buffer: the key '{ShownText.Of(name)}' stands twice (byte {_json.TokenStartIndex})");

    private static string Shown(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, 40)]);

    // What an object's members were so far.
    private struct Keys
    {
        public uint Known;
        public HashSet<string>? Others;

        public readonly bool Has(int key) => (Known & (1u << key)) != 0;
    }
}
