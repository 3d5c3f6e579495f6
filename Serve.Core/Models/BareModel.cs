using Serve.Core.Configuration;

namespace Serve.Core.Models;

/// <summary>What is served of an ONNX file that nobody has written a configuration for.</summary>
internal static class BareModel
{
    // What most models gain from batches they have gained by then.
    private const int BatchSize = 32;

    /// <summary>
    /// Batches where the model allows it, which the worker tries. TorchServe's batch of one, the default otherwise, is for
    /// archives and folders that say how they want to be served.
    /// </summary>
    /// <param name="defaults">The server's defaults.</param>
    public static ModelConfiguration Of(ModelConfiguration defaults) => defaults with { BatchSize = BatchSize, BatchDimension = BatchDimension.Checked };
}
