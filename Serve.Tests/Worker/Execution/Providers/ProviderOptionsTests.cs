using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Execution;
using Serve.Worker.Execution.Providers;

namespace Serve.Tests.Worker.Execution.Providers;

public sealed class ProviderOptionsTests
{
    [Fact]
    public void Cuda_gets_an_arena_that_leaves_room_and_no_search_for_every_batch_size()
    {
        var options = CudaOptions.Of(new ExecutionConfiguration(), 2);

        Assert.Equal("2", options["device_id"]);
        Assert.Equal("kSameAsRequested", options["arena_extend_strategy"]);
        Assert.Equal("HEURISTIC", options["cudnn_conv_algo_search"]);
        Assert.Equal("1", options["use_tf32"]);
        Assert.Equal("0", options["enable_cuda_graph"]);
        Assert.DoesNotContain("gpu_mem_limit", options);
    }

    [Fact]
    public void Every_key_of_the_configuration_reaches_cuda()
    {
        var options = CudaOptions.Of(
            new ExecutionConfiguration
            {
                ArenaExtendStrategy = ArenaExtendStrategy.NextPowerOfTwo,
                GpuMemoryLimit = 6L << 30,
                CudnnConvAlgoSearch = CudnnConvAlgoSearch.Exhaustive,
                UseTf32 = false,
                CudaGraphs = true,
            },
            0);

        Assert.Equal("kNextPowerOfTwo", options["arena_extend_strategy"]);
        Assert.Equal("6442450944", options["gpu_mem_limit"]);
        Assert.Equal("EXHAUSTIVE", options["cudnn_conv_algo_search"]);
        Assert.Equal("0", options["use_tf32"]);
        Assert.Equal("1", options["enable_cuda_graph"]);
    }

    [Fact]
    public void Options_by_the_providers_own_names_go_first()
    {
        var execution = new ExecutionConfiguration
        {
            CudaOptions = new Dictionary<string, string> { ["use_tf32"] = "0", ["prefer_nhwc"] = "1" },
            TensorrtOptions = new Dictionary<string, string> { ["trt_fp16_enable"] = "1" },
        };

        Assert.Equal("0", CudaOptions.Of(execution, 0)["use_tf32"]);
        Assert.Equal("1", CudaOptions.Of(execution, 0)["prefer_nhwc"]);
        Assert.Equal("1", TensorRtOptions.Of(execution, 0, null, null, 8)["trt_fp16_enable"]);
    }

    [Fact]
    public void Tensorrt_keeps_engines_and_timings_where_it_is_told()
    {
        var options = TensorRtOptions.Of(new ExecutionConfiguration { Fp16 = true }, 1, "/cache/tensorrt", null, 8);

        Assert.Equal("1", options["device_id"]);
        Assert.Equal("1", options["trt_fp16_enable"]);
        Assert.Equal("1", options["trt_engine_cache_enable"]);
        Assert.Equal("/cache/tensorrt", options["trt_engine_cache_path"]);
        Assert.Equal("/cache/tensorrt", options["trt_timing_cache_path"]);
        Assert.DoesNotContain("trt_engine_cache_enable", TensorRtOptions.Of(new ExecutionConfiguration { EngineCache = false }, 1, "/cache/tensorrt", null, 8));
        Assert.DoesNotContain("trt_engine_cache_enable", TensorRtOptions.Of(new ExecutionConfiguration(), 1, null, null, 8));
    }

    [Fact]
    public void Tensorrt_builds_one_engine_for_all_batches_where_only_the_batch_is_dynamic()
    {
        TensorInfo[] inputs = [new("pixel_values", TensorElement.Float32, [-1, 3, 224, 224]), new("scale", TensorElement.Float32, [-1, 1])];
        var options = TensorRtOptions.Of(new ExecutionConfiguration(), 0, null, inputs, 32);

        Assert.Equal("pixel_values:1x3x224x224,scale:1x1", options["trt_profile_min_shapes"]);
        Assert.Equal("pixel_values:32x3x224x224,scale:32x1", options["trt_profile_opt_shapes"]);
        Assert.Equal("pixel_values:32x3x224x224,scale:32x1", options["trt_profile_max_shapes"]);

        TensorInfo[] text = [new("ids", TensorElement.Int64, [-1, -1])];
        Assert.DoesNotContain("trt_profile_min_shapes", TensorRtOptions.Of(new ExecutionConfiguration(), 0, null, text, 32));
    }

    [Fact]
    public void A_model_that_tensorrt_takes_in_parts_is_known_by_the_profiles_that_it_lacks()
    {
        Assert.True(TensorRtOptions.LacksProfiles("[ErrorCode:EPFail] User needs to provide all the dynamic shape inputs with associated profiles if they want to explicitly set profiles through provider options. Following input(s) has no associated shape profiles provided: /encoder/Slice_output_0"));
        Assert.False(TensorRtOptions.LacksProfiles("[ErrorCode:EPFail] TensorRT EP failed to create engine from network."));
    }

    [Theory]
    [InlineData("cuda", "a GPU")]
    [InlineData("tensorrt", "TensorRT")]
    public void A_provider_that_is_not_there_is_a_load_error_in_words(string provider, string what)
    {
        Assert.SkipWhen(Directory.Exists("/proc/driver/nvidia"), "this machine has a GPU");
        var configuration = new ModelConfiguration { DeviceType = DeviceType.Gpu, Execution = new ExecutionConfiguration { Providers = [provider, "cpu"] } };

        var error = Assert.Throws<InvalidModelException>(() => SessionPlan.Create("vit", configuration, DeviceType.Gpu, 0, 1));

        Assert.StartsWith($"vit asks for {what}, but there is none that can be used: ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("(fallback: cpu would serve it on the CPU.)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void With_a_fallback_every_missing_provider_is_a_note()
    {
        Assert.SkipWhen(Directory.Exists("/proc/driver/nvidia"), "this machine has a GPU");
        var configuration = new ModelConfiguration
        {
            DeviceType = DeviceType.Gpu,
            Fallback = DeviceType.Cpu,
            Execution = new ExecutionConfiguration { Providers = ["tensorrt", "cuda"], CudaGraphs = true },
        };

        using var plan = SessionPlan.Create("vit", configuration, DeviceType.Gpu, 0, 1);

        Assert.Equal("cpu:0", plan.Device);
        Assert.True(plan.IsCpuOnly && plan.CanSaveOptimized && !plan.UsesCudaGraphs);
        Assert.Collection(
            plan.Notes,
            note => Assert.StartsWith("the model asks for TensorRT, but runs without it (fallback: cpu): ", note, StringComparison.Ordinal),
            note => Assert.StartsWith("the model asks for a GPU, but runs on the CPU (fallback: cpu): ", note, StringComparison.Ordinal));
    }
}
