using System.Runtime.InteropServices;
using System.Text;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>A tensor of a request. Its bytes belong to the worker and are valid until the request is answered.</summary>
/// <param name="Name">The input's name.</param>
/// <param name="ElementType">Its element type.</param>
/// <param name="Shape">Its dimensions, the batch dimension included.</param>
/// <param name="Data">Its elements: row-major, little-endian; strings as <see cref="BytesElements"/>.</param>
public sealed record InputTensor(string Name, TensorElement ElementType, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Data)
{
    /// <summary>The elements.</summary>
    /// <typeparam name="T">A .NET type of the element's size.</typeparam>
    public ReadOnlySpan<T> Elements<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Data.Span);

    /// <summary>The elements of a tensor of strings, read as UTF-8.</summary>
    public IReadOnlyList<string> Strings()
    {
        List<string> texts = [];
        var rest = Data.Span;
        while (BytesElements.TryTake(ref rest, out var element)) texts.Add(Encoding.UTF8.GetString(element));
        return texts;
    }
}
