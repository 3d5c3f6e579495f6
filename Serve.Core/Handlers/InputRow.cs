using System.Runtime.InteropServices;

namespace Serve.Core.Handlers;

/// <summary>
/// Where a handler writes one request's inputs. The memory belongs to the worker, is reused for later requests, and is not
/// cleared: write every element.
/// </summary>
public abstract class InputRow
{
    /// <summary>
    /// How many rows of the batch this request fills; default 1. More than one: each tensor's first dimension is this
    /// number. Never more than <c>batchSize</c>.
    /// </summary>
    public int Rows { get; set; } = 1;

    /// <summary>The memory of an input for this request.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="shape">
    /// The dimensions without the batch dimension (with it when <see cref="Rows"/> is above 1, or the model has none). Must
    /// agree with the model wherever its dimension is fixed.
    /// </param>
    /// <returns>Bytes for the product of <paramref name="shape"/> elements, little-endian.</returns>
    /// <exception cref="Errors.BadRequestException">No such input, a shape that does not fit, or more bytes than allowed.</exception>
    public abstract Span<byte> Allocate(string name, params ReadOnlySpan<long> shape);

    /// <summary>As <see cref="Allocate(string, ReadOnlySpan{long})"/>, as elements.</summary>
    /// <typeparam name="T">A .NET type of the input's element size.</typeparam>
    /// <param name="name">The input's name.</param>
    /// <param name="shape">The dimensions without the batch dimension.</param>
    public Span<T> Allocate<T>(string name, params ReadOnlySpan<long> shape)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Allocate(name, shape));

    /// <summary>Sets an input of strings.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="values">The strings, row-major.</param>
    /// <param name="shape">The dimensions without the batch dimension.</param>
    public abstract void SetStrings(string name, IReadOnlyList<string> values, params ReadOnlySpan<long> shape);
}
