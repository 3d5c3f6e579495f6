using System.Text.Json.Serialization;

namespace Serve.Core.Handlers;

/// <summary>A model's inputs and outputs, read from the model, and how its first dimension can be used for batching.</summary>
/// <param name="Inputs">Inputs, in the model's order.</param>
/// <param name="Outputs">Outputs, in the model's order.</param>
/// <param name="Batching">Whether requests can be joined into a batch.</param>
public sealed record ModelSignature(IReadOnlyList<TensorInfo> Inputs, IReadOnlyList<TensorInfo> Outputs, RowBatching Batching);

/// <summary>One input or output of a model.</summary>
/// <param name="Name">The name in the model.</param>
/// <param name="ElementType">Its element type.</param>
/// <param name="Shape">Dimensions as in the model, the batch dimension included; −1 where dynamic. Empty for a scalar.</param>
public sealed record TensorInfo(string Name, TensorElement ElementType, IReadOnlyList<long> Shape);

/// <summary>What a model's first dimension allows.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RowBatching>))]
public enum RowBatching
{
    /// <summary>The first dimension of every input and output is dynamic: requests become rows of one batch.</summary>
    Dynamic,

    /// <summary>The first dimension of every input is fixed to 1 (a common export mistake): rows run one by one.</summary>
    FixedOne,

    /// <summary>No batch dimension: a request carries the whole tensors and runs alone.</summary>
    None,
}

/// <summary>Element types of tensors, with the names of the Open Inference Protocol.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TensorElement>))]
public enum TensorElement
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>Unsigned, 8 bits.</summary>
    UInt8,

    /// <summary>Unsigned, 16 bits.</summary>
    UInt16,

    /// <summary>Unsigned, 32 bits.</summary>
    UInt32,

    /// <summary>Unsigned, 64 bits.</summary>
    UInt64,

    /// <summary>Signed, 8 bits.</summary>
    Int8,

    /// <summary>Signed, 16 bits.</summary>
    Int16,

    /// <summary>Signed, 32 bits.</summary>
    Int32,

    /// <summary>Signed, 64 bits.</summary>
    Int64,

    /// <summary>IEEE half precision.</summary>
    Float16,

    /// <summary>Brain float.</summary>
    BFloat16,

    /// <summary>IEEE single precision.</summary>
    Float32,

    /// <summary>IEEE double precision.</summary>
    Float64,

    /// <summary>Strings; UTF-8 on the wire.</summary>
    String,
}
