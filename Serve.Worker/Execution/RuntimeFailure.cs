using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;

namespace Serve.Worker.Execution;

/// <summary>What an exception of ONNX Runtime means for a client: whose fault it was, in words without source paths.</summary>
internal static partial class RuntimeFailure
{
    private const string CudaFailureText = "CUDA failure ";

    // The fourth is an arena's that has reached its limit.
    private static readonly string[] MemoryWords =
    [
        "Failed to allocate memory", "out of memory", "bad_alloc", "is smaller than requested bytes", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
    ];

    // After these CUDA takes no work from the process any more (cudaError_t): its documentation says to end it. In order:
    // uncorrectable errors of memory and of NVLink, a wrong address, a kernel that hung, a context that is gone, a failed
    // assertion, a broken stack, instruction, alignment, address space or program counter, any other fault, a contained error.
    private static readonly int[] LostDeviceCodes = [214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721];

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

    public static bool IsOutOfMemory(OnnxRuntimeException e) => IsOutOfMemory(e.Message);

    /// <summary>Whether a message of ONNX Runtime's says that memory did not suffice: the machine's, the GPU's, or what <c>gpuMemoryLimit</c> leaves of it.</summary>
    public static bool IsOutOfMemory(string message) => Array.Exists(MemoryWords, word => message.Contains(word, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// Whether the GPU takes no more work from this process, whatever it is: every later call of CUDA's fails with the same
    /// error. Only another process can use it.
    /// </summary>
    public static bool IsDeviceLost(Exception failure) =>
        CudaFailure().Match(failure.Message) is { Success: true } match && LostDeviceCodes.Contains(int.Parse(match.ValueSpan[CudaFailureText.Length..], CultureInfo.InvariantCulture));

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

    // As ONNX Runtime writes it, and CudaMemory too.
    [GeneratedRegex(CudaFailureText + @"\d{1,6}\b")]
    private static partial Regex CudaFailure();

    [GeneratedRegex(@"/\S+?\.(?:cc|h|cpp|cuh|cu):\d+\s+")]
    private static partial Regex SourcePlace();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();
}
