using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// Reads one tensor from nested JSON lists: elements straight into their type, the shape from the nesting. Everything that
/// is not exactly a tensor of that type is refused with its JSON path and byte position. Reused; one thread at a time.
/// </summary>
internal sealed class TensorJsonReader
{
    private const int MaxRank = 32;

    // What one large request made grow is not kept for the life of the thread.
    private const int MaxKeptBytes = 16 << 20;

    // From 65520 on, a float16 rounds up to infinity.
    private static readonly double LargestHalf = Math.BitDecrement(65520.0);

    private readonly int[] _counts = new int[MaxRank + 1];
    private readonly long[] _dimensions = new long[MaxRank + 1];
    private byte[] _bytes = new byte[4096];
    private int _length;
    private long _left;
    private long _mostElements;
    private TensorElement _element;
    private string _name = "";

    /// <summary>The dimensions of the list just read, outermost first; none for a bare value.</summary>
    public ReadOnlySpan<long> Shape => _dimensions.AsSpan(1, Rank);

    /// <summary>How deep the lists are nested.</summary>
    public int Rank { get; private set; }

    /// <summary>The elements just read, little-endian; empty for strings.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>The elements just read, for a tensor of strings.</summary>
    public List<string> Strings { get; } = [];

    /// <summary>Whether this reader has been given a tensor since <see cref="Clear"/>.</summary>
    public bool IsSet { get; private set; }

    public void Clear()
    {
        IsSet = false;
        Strings.Clear();
        if (Strings.Capacity > MaxKeptBytes / IntPtr.Size) Strings.Capacity = 0;
        if (_bytes.Length > MaxKeptBytes) _bytes = new byte[4096];
    }

    /// <summary>Reads the value that <paramref name="json"/> stands on, to its end.</summary>
    /// <param name="name">The input's name, for messages.</param>
    /// <param name="element">The input's element type.</param>
    /// <param name="mostElements">With more it is refused as soon as the first of them is read; a tensor has at most <see cref="Execution.TensorSlot.MaxInputBytes"/>.</param>
    /// <param name="json">Stands on the first token of the value; afterwards on the last.</param>
    public void Read(string name, TensorElement element, long mostElements, ref Utf8JsonReader json)
    {
        (_name, _element, _length, Rank, IsSet) = (name, element, 0, 0, true);
        _left = _mostElements = mostElements;
        Strings.Clear();
        _dimensions.AsSpan().Fill(-1);
        _counts[0] = 0;

        var depth = 0;
        var leaf = -1; // the depth that elements have; lists may not go deeper
        while (true)
        {
            switch (json.TokenType)
            {
                case JsonTokenType.StartArray:
                    if (depth == leaf) throw Wrong(ref json, depth, "a list stands where numbers stand elsewhere");
                    if (++depth > MaxRank) throw Wrong(ref json, depth - 1, $"lists are nested deeper than {MaxRank}");
                    Rank = Math.Max(Rank, depth);
                    _counts[depth] = 0;
                    break;

                case JsonTokenType.EndArray:
                    CloseList(ref json, depth--);
                    _counts[depth]++;
                    break;

                case JsonTokenType.StartObject:
                    throw Wrong(ref json, depth, "an object stands where a number or list must stand");

                default:
                    if (leaf < 0) leaf = depth;
                    if (depth != leaf || depth < Rank) throw Wrong(ref json, depth, "a value stands where a list stands elsewhere");
                    Append(ref json, depth);
                    _counts[depth]++;
                    break;
            }

            if (depth == 0) return;
            json.Read(); // a document that ends here throws
        }
    }

    private void CloseList(ref Utf8JsonReader json, int depth)
    {
        if (_dimensions[depth] < 0) _dimensions[depth] = _counts[depth];
        if (_dimensions[depth] != _counts[depth])
        {
            throw Wrong(ref json, depth - 1, $"the list has {_counts[depth]} elements, its neighbours have {_dimensions[depth]}");
        }
    }

    private void Append(ref Utf8JsonReader json, int depth)
    {
        if (--_left < 0) throw Wrong(ref json, depth, $"there are more than {_mostElements} elements, which the input does not take");
        switch (_element)
        {
            case TensorElement.String:
                if (json.TokenType != JsonTokenType.String) throw WrongValue(ref json, depth, "a string");
                Strings.Add(json.GetString()!);
                break;
            case TensorElement.Bool:
                Next(1)[0] = ReadBool(ref json, depth);
                break;
            case TensorElement.Float32:
                Write((float)ReadFloat(ref json, depth, float.MaxValue, "a float32"));
                break;
            case TensorElement.Float64:
                Write(ReadFloat(ref json, depth, double.MaxValue, "a float64"));
                break;
            case TensorElement.Float16:
                Write((Half)ReadFloat(ref json, depth, LargestHalf, "a float16"));
                break;
            case TensorElement.BFloat16:
                Write(BrainFloat.FromSingle((float)ReadFloat(ref json, depth, BrainFloat.MaxValue, "a bfloat16")));
                break;
            case TensorElement.UInt64:
                Write(ReadUnsigned(ref json, depth));
                break;
            case TensorElement.Int64:
                Write(ReadInteger(ref json, depth, long.MinValue, long.MaxValue));
                break;
            case TensorElement.Int32:
                Write((int)ReadInteger(ref json, depth, int.MinValue, int.MaxValue));
                break;
            case TensorElement.UInt32:
                Write((uint)ReadInteger(ref json, depth, uint.MinValue, uint.MaxValue));
                break;
            case TensorElement.Int16:
                Write((short)ReadInteger(ref json, depth, short.MinValue, short.MaxValue));
                break;
            case TensorElement.UInt16:
                Write((ushort)ReadInteger(ref json, depth, ushort.MinValue, ushort.MaxValue));
                break;
            case TensorElement.Int8:
                Write((sbyte)ReadInteger(ref json, depth, sbyte.MinValue, sbyte.MaxValue));
                break;
            case TensorElement.UInt8:
                Write((byte)ReadInteger(ref json, depth, byte.MinValue, byte.MaxValue));
                break;
        }
    }

    private byte ReadBool(ref Utf8JsonReader json, int depth) => json.TokenType switch
    {
        JsonTokenType.True => 1,
        JsonTokenType.False => 0,
        JsonTokenType.Number when json.TryGetInt32(out var number) && number is 0 or 1 => (byte)number,
        _ => throw WrongValue(ref json, depth, "true or false"),
    };

    private double ReadFloat(ref Utf8JsonReader json, int depth, double largest, string what)
    {
        if (json.TokenType == JsonTokenType.Number)
        {
            // A float32 is parsed as one: by way of a double it would be rounded twice.
            var parsed = _element == TensorElement.Float32
                ? json.TryGetSingle(out var single) ? single : double.NaN
                : json.TryGetDouble(out var value) ? value : double.NaN;
            if (Math.Abs(parsed) <= largest) return parsed;
        }

        if (json.TokenType == JsonTokenType.String)
        {
            if (json.ValueTextEquals("NaN"u8)) return double.NaN;
            if (json.ValueTextEquals("Infinity"u8)) return double.PositiveInfinity;
            if (json.ValueTextEquals("-Infinity"u8)) return double.NegativeInfinity;
        }

        throw WrongValue(ref json, depth, what);
    }

    private long ReadInteger(ref Utf8JsonReader json, int depth, long smallest, long largest)
    {
        if (json.TokenType == JsonTokenType.Number && (json.TryGetInt64(out var value) || TryGetWhole(ref json, out value))
            && value >= smallest && value <= largest)
        {
            return value;
        }

        throw WrongValue(ref json, depth, $"a whole number from {smallest} to {largest}");
    }

    private ulong ReadUnsigned(ref Utf8JsonReader json, int depth)
    {
        if (json.TokenType == JsonTokenType.Number)
        {
            if (json.TryGetUInt64(out var value)) return value;
            if (TryGetWhole(ref json, out var whole) && whole >= 0) return (ulong)whole;
        }

        throw WrongValue(ref json, depth, $"a whole number from 0 to {ulong.MaxValue}");
    }

    // 3.0 and 1e2 are whole numbers too; only as far as a double is exact.
    private static bool TryGetWhole(ref Utf8JsonReader json, out long value)
    {
        value = 0;
        if (!json.TryGetDouble(out var number) || Math.Abs(number) > 1L << 53 || number != Math.Floor(number)) return false;
        value = (long)number;
        return true;
    }

    private void Write<T>(T value)
        where T : unmanaged
    {
        var bytes = Next(Unsafe.SizeOf<T>());
        MemoryMarshal.Write(bytes, in value);
        if (!BitConverter.IsLittleEndian) bytes.Reverse();
    }

    private Span<byte> Next(int size)
    {
        if (_bytes.Length - _length < size) Array.Resize(ref _bytes, checked(_bytes.Length * 2));
        var span = _bytes.AsSpan(_length, size);
        _length += size;
        return span;
    }

    private BadRequestException WrongValue(ref Utf8JsonReader json, int depth, string wanted)
    {
        var text = Encoding.UTF8.GetString(json.ValueSpan[..Math.Min(json.ValueSpan.Length, 40)]);
        if (json.TokenType == JsonTokenType.String) text = $"\"{text}\"";
        return Wrong(ref json, depth, $"{text} is not {wanted}");
    }

    private BadRequestException Wrong(ref Utf8JsonReader json, int depth, string what)
    {
        var path = new StringBuilder("$");
        for (var i = 1; i <= depth; i++) path.Append('[').Append(_counts[i]).Append(']');
        return new BadRequestException($"Input '{_name}': {what} at {path}, byte {json.TokenStartIndex}.");
    }
}
