namespace Serve.Core.Models.Creation;

/// <summary>The numbers that a created model's weights are stored and computed in.</summary>
public enum WeightPrecision
{
    /// <summary>32 bits throughout.</summary>
    Float32,

    /// <summary>
    /// 16 bits (IEEE) for weights and computing, half the file and the memory. Inputs and outputs stay 32 bits, cast at
    /// the model's border, so that clients and handlers see no difference.
    /// </summary>
    Float16,
}
