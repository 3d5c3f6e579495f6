using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using CsCheck;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.BuiltIn;

namespace Serve.Tests.Worker;

public sealed class TensorJsonReaderProperties
{
    private static readonly Gen<int[]> Shapes = Gen.Int[1, 4].Array[0, 4];

    [Fact]
    public void Every_tensor_of_floats_is_read_as_it_was_written()
    {
        Gen.Select(Shapes, Gen.Float.Where(float.IsFinite).Array[256]).Sample((shape, values) =>
        {
            var count = shape.Aggregate(1, (product, side) => product * side);
            var json = Nested(shape, values.AsSpan(0, count));

            var reader = Read(TensorElement.Float32, json);

            return reader.Shape.ToArray().Select(side => (int)side).SequenceEqual(shape)
                && reader.Bytes.SequenceEqual(MemoryMarshal.AsBytes(values.AsSpan(0, count)));
        });
    }

    [Fact]
    public void Any_text_is_read_or_refused_never_worse()
    {
        string[] tokens = ["[", "]", ",", "1", "-0.5", "1e9", "\"x\"", "true", "null", "{", "}", ":", " "];
        var texts = Gen.Int[0, tokens.Length - 1].Array[0, 24].Select(picks => string.Concat(picks.Select(pick => tokens[pick])));
        var elements = Gen.Int[0, (int)TensorElement.String].Select(number => (TensorElement)number);
        Gen.Select(texts, elements).Sample((text, element) =>
        {
            try
            {
                var reader = Read(element, text);
                var count = reader.Shape.ToArray().Aggregate(1L, (product, side) => product * side);
                var stored = element == TensorElement.String ? reader.Strings.Count : reader.Bytes.Length / element.SizeBytes();
                return stored == count;
            }
            catch (Exception e) when (e is BadRequestException or JsonException)
            {
                return true;
            }
        });
    }

    private static TensorJsonReader Read(TensorElement element, string json)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        var source = new Utf8JsonReader(bytes);
        source.Read();
        var reader = new TensorJsonReader();
        reader.Read("x", element, long.MaxValue, ref source);
        return reader;
    }

    private static string Nested(ReadOnlySpan<int> shape, ReadOnlySpan<float> values)
    {
        if (shape.IsEmpty) return values[0].ToString("R", CultureInfo.InvariantCulture);
        var size = values.Length / shape[0];
        var parts = new string[shape[0]];
        for (var i = 0; i < parts.Length; i++) parts[i] = Nested(shape[1..], values.Slice(i * size, size));
        return $"[{string.Join(",", parts)}]";
    }
}
