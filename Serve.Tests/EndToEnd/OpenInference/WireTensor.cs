using System.Runtime.InteropServices;
using System.Text;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>A tensor as it is on the wire: its datatype by name, its elements as the protocol's raw form has them.</summary>
internal sealed record WireTensor(string Name, string Datatype, long[] Shape, byte[] Data)
{
    /// <summary>All datatypes, and the bytes of an element; 0: BYTES.</summary>
    public static IReadOnlyList<(string Name, int Bytes)> Datatypes { get; } =
    [
        ("BOOL", 1), ("UINT8", 1), ("UINT16", 2), ("UINT32", 4), ("UINT64", 8), ("INT8", 1), ("INT16", 2), ("INT32", 4), ("INT64", 8), ("FP16", 2), ("BF16", 2), ("FP32", 4), ("FP64", 8), ("BYTES", 0),
    ];

    public static WireTensor Of<T>(string name, string datatype, long[] shape, params T[] elements)
        where T : unmanaged => new(name, datatype, shape, MemoryMarshal.AsBytes(elements.AsSpan()).ToArray());

    public static WireTensor OfTexts(string name, long[] shape, params string[] texts) => new(name, "BYTES", shape, Strings([.. texts.Select(Encoding.UTF8.GetBytes)]));

    /// <summary>Any tensor of a datatype.</summary>
    /// <param name="random">Decides.</param>
    /// <param name="name">Its name.</param>
    /// <param name="datatype">Its datatype.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="isForJson">Only what JSON can carry: finite numbers, valid UTF-8.</param>
    public static WireTensor Random(Random random, string name, string datatype, long[] shape, bool isForJson)
    {
        var count = (int)shape.Aggregate(1L, (product, dimension) => product * dimension);
        if (datatype == "BYTES") return new(name, datatype, shape, Strings([.. Enumerable.Range(0, count).Select(_ => Text(random, isForJson))]));
        var bytes = new byte[count * Datatypes.First(known => known.Name == datatype).Bytes];
        random.NextBytes(bytes);
        if (datatype == "BOOL") for (var i = 0; i < bytes.Length; i++) bytes[i] &= 1;
        if (isForJson && datatype == "FP32") foreach (ref var value in MemoryMarshal.Cast<byte, float>(bytes.AsSpan())) value = float.IsFinite(value) ? value : -0f;
        if (isForJson && datatype == "FP64") foreach (ref var value in MemoryMarshal.Cast<byte, double>(bytes.AsSpan())) value = double.IsFinite(value) ? value : -0.0;
        return new(name, datatype, shape, bytes);
    }

    public T[] Elements<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Data).ToArray();

    /// <summary>The elements of a tensor of BYTES.</summary>
    public List<byte[]> Strings()
    {
        List<byte[]> strings = [];
        for (var at = 0; at < Data.Length;)
        {
            var length = BitConverter.ToInt32(Data, at);
            strings.Add(Data[(at + 4)..(at + 4 + length)]);
            at += 4 + length;
        }

        return strings;
    }

    public IEnumerable<string> Texts() => Strings().Select(Encoding.UTF8.GetString);

    private static byte[] Strings(List<byte[]> strings) => [.. strings.SelectMany(bytes => (byte[])[.. BitConverter.GetBytes(bytes.Length), .. bytes])];

    private static byte[] Text(Random random, bool isForJson)
    {
        if (isForJson) return Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, random.Next(9)).Select(_ => random.Next(5) switch { 0 => "é", 1 => "\U0001F600", 2 => "\"", 3 => "\n\0\\/", _ => "a" })));
        var bytes = new byte[random.Next(20)];
        random.NextBytes(bytes);
        return bytes;
    }
}
