using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;

namespace Serve.Worker.Execution;

/// <summary>What an exception of ONNX Runtime means for a client: whose fault it was, in words without source paths.</summary>
internal static partial class RuntimeFailure
{
    /// <summary>The error that answers a request whose row, run alone, failed.</summary>
    public static ServeException ToAnswer(Exception failure) => failure switch
    {
        UnbatchableOutputException e => new InternalServerException($"{e.Message} Set batchDimension: none for this model."),
        ServeException known => known,
        OutOfMemoryException => new OutOfResourcesException("The worker ran out of memory while it executed the request."),
        OnnxRuntimeException e when IsOutOfMemory(e) => new OutOfResourcesException($"The device ran out of memory while it executed the request: {Describe(e)}"),
        OnnxRuntimeException e when IsInvalidArgument(e) => new BadRequestException($"The model does not accept these inputs: {Describe(e)}", e),
        _ => new InternalServerException($"The model failed: {Describe(failure)}", failure),
    };

    public static bool IsOutOfMemory(OnnxRuntimeException e) =>
        e.Message.Contains("Failed to allocate memory", StringComparison.OrdinalIgnoreCase)
        || e.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || e.Message.Contains("bad_alloc", StringComparison.Ordinal)
        || e.Message.Contains("CUBLAS_STATUS_ALLOC_FAILED", StringComparison.Ordinal);

    /// <summary>The message without ONNX Runtime's prefix of error codes and source lines, on one line, at most 500 characters.</summary>
    public static string Describe(Exception e)
    {
        var text = SourcePlace().Replace(Prefix().Replace(e.Message, ""), "");
        text = WhiteSpace().Replace(text, " ").Trim();
        return text.Length > 500 ? text[..500] + "…" : text;
    }

    // Values that an operator refuses (an index out of range, shapes that do not broadcast) come as InvalidArgument.
    private static bool IsInvalidArgument(OnnxRuntimeException e) =>
        e.Message.Contains("[ErrorCode:InvalidArgument]", StringComparison.Ordinal)
        || e.Message.Contains("out of data bounds", StringComparison.Ordinal)
        || e.Message.Contains("cannot be reshaped", StringComparison.Ordinal)
        || e.Message.Contains("by axis with", StringComparison.Ordinal);

    // With "[ONNXRuntimeError] : 1 : FAIL : " where it was wrapped once more, and the C++ function before that.
    [GeneratedRegex(@"^\[ErrorCode:\w+\]\s*(?:.*?\[ONNXRuntimeError\] : \d+ : \w+ : )?", RegexOptions.Singleline)]
    private static partial Regex Prefix();

    [GeneratedRegex(@"/\S+?\.(?:cc|h|cpp|cuh|cu):\d+\s+")]
    private static partial Regex SourcePlace();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();
}
