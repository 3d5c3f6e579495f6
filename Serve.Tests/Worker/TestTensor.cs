using System.Runtime.InteropServices;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Tests.Worker;

/// <summary>A tensor as tests write and compare it.</summary>
/// <param name="Name">The input's or output's name.</param>
/// <param name="Element">Its element type.</param>
/// <param name="Shape">Its dimensions, the batch dimension included.</param>
/// <param name="Data">Its elements, as the Open Inference Protocol has them raw.</param>
internal sealed record TestTensor(string Name, TensorElement Element, long[] Shape, byte[] Data)
{
    public static TestTensor Of<T>(string name, TensorElement element, long[] shape, params ReadOnlySpan<T> values)
        where T : unmanaged => new(name, element, shape, MemoryMarshal.AsBytes(values).ToArray());

    public static TestTensor OfTexts(string name, long[] shape, params IReadOnlyList<string> texts) => new(name, TensorElement.String, shape, BytesElements.Of(texts));

    /// <summary>Any bits that the type can have, not-a-numbers and infinities among them.</summary>
    public static TestTensor Random(string name, TensorElement element, long[] shape, Random random)
    {
        Assert.True(TensorShape.TryCount(shape, out var elements));
        if (element == TensorElement.String)
        {
            var strings = new System.Buffers.ArrayBufferWriter<byte>();
            for (var i = 0; i < elements; i++)
            {
                var text = new byte[random.Next(20)];
                random.NextBytes(text);
                BytesElements.Write(strings, text);
            }

            return new TestTensor(name, element, shape, strings.WrittenSpan.ToArray());
        }

        var data = new byte[elements * element.SizeBytes()];
        random.NextBytes(data);
        if (element == TensorElement.Bool)
        {
            foreach (ref var value in data.AsSpan()) value &= 1;
        }

        return new TestTensor(name, element, shape, data);
    }

    public static List<TestTensor> ReadList(ReadOnlySpan<byte> list)
    {
        List<TestTensor> tensors = [];
        var reader = new TensorListReader(list);
        while (reader.TryRead(out var tensor)) tensors.Add(new TestTensor(tensor.Name, tensor.ElementType, tensor.Shape, tensor.Data.ToArray()));
        return tensors;
    }

    public bool Equals(TestTensor? other) =>
        other is not null && Name == other.Name && Element == other.Element && Shape.AsSpan().SequenceEqual(other.Shape) && Data.AsSpan().SequenceEqual(other.Data);

    public override int GetHashCode() => HashCode.Combine(Name, Element, Data.Length);

    public override string ToString() => $"{Name}: {TensorText.Of(Element, Shape)} {Convert.ToHexString(Data.AsSpan(0, Math.Min(64, Data.Length)))}";
}
