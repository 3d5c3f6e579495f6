using Serve.Core.Errors;
using Serve.Worker.Execution;

namespace Serve.Tests.Worker.Execution;

/// <summary>What ONNX Runtime says, and what it means: its words are all that there is.</summary>
public sealed class RuntimeFailureTests
{
    [Theory]
    [InlineData("[ErrorCode:RuntimeException] bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, Stream*) Available memory of 5513472 is smaller than requested bytes of 20751872", true)]
    [InlineData("[ErrorCode:RuntimeException] bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 5000", true)]
    [InlineData("CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", true)]
    [InlineData("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", true)]
    [InlineData("CUDA failure 2: out of memory ; GPU=0", true)]
    [InlineData("std::bad_alloc", true)]
    [InlineData("CUDNN failure 3: CUDNN_STATUS_BAD_PARAM ; GPU=0", false)]
    [InlineData("CUDA failure 700: an illegal memory access was encountered ; GPU=0", false)]
    public void Memory_that_does_not_suffice_is_known_by_its_words(string message, bool isOutOfMemory) =>
        Assert.Equal(isOutOfMemory, RuntimeFailure.IsOutOfMemory(message));

    [Theory]
    [InlineData("[ErrorCode:Fail] Non-zero status code returned while running MatMul node. Status Message: CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=a", true)]
    [InlineData("CUDA failure 719: unspecified launch failure ; GPU=0", true)]
    [InlineData("CUDA failure 214: uncorrectable ECC error encountered; a copy failed", true)]
    [InlineData("CUDA failure 2: out of memory ; GPU=0", false)]
    [InlineData("CUDA failure 1: invalid argument ; GPU=0", false)]
    [InlineData("CUDA failure 7000: no such number", false)]
    [InlineData("CUDNN failure 700: no number of CUDA's", false)]
    [InlineData("indices element out of data bounds, idx=700", false)]
    public void A_device_that_takes_no_more_work_is_known_by_its_number(string message, bool isLost) =>
        Assert.Equal(isLost, RuntimeFailure.IsDeviceLost(new InternalServerException(message)));
}
