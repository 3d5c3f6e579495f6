using System.Text.Json.Serialization;

namespace Serve.Core.Configuration;

/// <summary>Whether the first dimension of a model's inputs and outputs is the batch.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BatchDimension>))]
public enum BatchDimension
{
    /// <summary>
    /// It is where it is dynamic everywhere, nothing in the model says otherwise (dimensions of different names), and the
    /// outputs of the warm-up have as many rows as its inputs.
    /// </summary>
    Auto,

    /// <summary>
    /// As <see cref="Auto"/>, and tried before the first request: two rows of different content must be answered together as each
    /// is alone. For models whose batch nobody has chosen: an ONNX file without a <c>model-config.yaml</c>.
    /// </summary>
    Checked,

    /// <summary>It is, whatever the names of dimensions say. A model in which it cannot be is refused at load.</summary>
    First,

    /// <summary>There is no batch: a request carries whole tensors and runs alone.</summary>
    None,
}
