using System.Runtime.InteropServices;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>A tensor of a handler's answer.</summary>
/// <param name="Name">The output's name.</param>
/// <param name="ElementType">Its element type.</param>
/// <param name="Shape">Its dimensions, the batch dimension included.</param>
/// <param name="Data">Its elements: row-major, little-endian; strings as <see cref="BytesElements"/>.</param>
public sealed record OutputTensor(string Name, TensorElement ElementType, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Data)
{
    /// <summary>A tensor of numbers.</summary>
    /// <typeparam name="T">A .NET type of the element's size.</typeparam>
    /// <param name="name">The output's name.</param>
    /// <param name="elementType">Its element type.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="elements">Its elements, row-major.</param>
    public static OutputTensor Of<T>(string name, TensorElement elementType, IReadOnlyList<long> shape, params ReadOnlySpan<T> elements)
        where T : unmanaged => new(name, elementType, shape, MemoryMarshal.AsBytes(elements).ToArray());

    /// <summary>A tensor of texts.</summary>
    /// <param name="name">The output's name.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="texts">Its elements, row-major; UTF-8 on the wire.</param>
    public static OutputTensor OfTexts(string name, IReadOnlyList<long> shape, params IReadOnlyList<string> texts) =>
        new(name, TensorElement.String, shape, BytesElements.Of(texts));
}
