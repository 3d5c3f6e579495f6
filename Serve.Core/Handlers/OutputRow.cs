using System.Runtime.InteropServices;

namespace Serve.Core.Handlers;

/// <summary>One request's part of a model's outputs; valid during <see cref="IModelHandler.Postprocess"/>.</summary>
public abstract class OutputRow
{
    /// <summary>The model's outputs, in its order.</summary>
    public abstract IReadOnlyList<TensorInfo> Outputs { get; }

    /// <summary>
    /// The dimensions of an output for this request, without the batch dimension; with it where the request filled more than
    /// one row (<see cref="InputRow.Rows"/>) or the model has none.
    /// </summary>
    /// <param name="name">The output's name.</param>
    public abstract ReadOnlySpan<long> Shape(string name);

    /// <summary>The bytes of an output for this request, little-endian.</summary>
    /// <param name="name">The output's name.</param>
    public abstract ReadOnlySpan<byte> Bytes(string name);

    /// <summary>The strings of an output for this request.</summary>
    /// <param name="name">The output's name.</param>
    public abstract IReadOnlyList<string> Strings(string name);

    /// <summary>The elements of an output for this request.</summary>
    /// <typeparam name="T">A .NET type of the output's element size.</typeparam>
    /// <param name="name">The output's name.</param>
    public ReadOnlySpan<T> Elements<T>(string name)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes(name));
}
