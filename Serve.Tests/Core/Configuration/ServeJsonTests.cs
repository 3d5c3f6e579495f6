using System.Text.Json;
using CsCheck;
using Serve.Core.Configuration;

namespace Serve.Tests.Core.Configuration;

public sealed class ServeJsonTests
{
    private static readonly Gen<TimeSpan> Durations = Gen.Long[0, TimeSpan.TicksPerDay].Select(ticks => new TimeSpan(ticks));
    private static readonly Gen<double> Doubles = Gen.Double[-1000, 1000];

    private static readonly Gen<PreprocessingConfiguration> Preprocessing =
        from resize in Gen.Int[1, 8192].Array[0, 2].Null()
        from crop in Gen.Int[1, 8192].Array[0, 2].Null()
        from filter in Gen.Enum<Interpolation>()
        from scale in Doubles
        from mean in Doubles.Array[1, 3]
        from channels in Gen.Enum<ChannelOrder>()
        from layout in Gen.Enum<TensorLayout>().Nullable()
        from pixels in Gen.Long[1, 4_000_000_000]
        from timeout in Durations
        select new PreprocessingConfiguration { Resize = resize, Crop = crop, Interpolation = filter, Scale = scale, Mean = mean, Std = mean, Channels = channels, Layout = layout, MaxImagePixels = pixels, DecodeTimeout = timeout, Formats = ["png"] };

    private static readonly Gen<ModelConfiguration> Configurations =
        from handler in Gen.String[0, 20].Null()
        from workers in Gen.Int[0, 256]
        from batch in Gen.Int[1, 4096]
        from mode in Gen.Enum<BatchingMode>()
        from delay in Durations
        from device in Gen.Enum<DeviceType>()
        from ids in Gen.Int[0, 1023].Array[0, 4]
        from fallback in Gen.Enum<DeviceType>().Nullable()
        from preprocessing in Preprocessing
        from options in Gen.Dictionary(Gen.String[Gen.Char.AlphaNumeric, 1, 5], Gen.String[0, 10])[0, 3]
        from spinning in Gen.Bool
        from optimization in Gen.Enum<GraphOptimization>()
        select new ModelConfiguration
        {
            Handler = handler,
            ModelFile = handler,
            MinWorkers = workers,
            MaxWorkers = workers + 1,
            BatchSize = batch,
            Batching = mode,
            MaxBatchDelay = delay,
            DeviceType = device,
            DeviceIds = ids,
            Fallback = fallback,
            Preprocessing = preprocessing,
            Execution = new() { AllowSpinning = spinning, GraphOptimization = optimization, CudaOptions = options, Providers = ["cpu"] },
            Warmup = new() { Enabled = spinning, Runs = workers },
            HandlerOptions = options,
        };

    [Fact]
    public void What_is_read_equals_what_was_written() => Configurations.Sample(written =>
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(written, ServeJson.Default.ModelConfiguration);
        var read = JsonSerializer.Deserialize(json, ServeJson.Default.ModelConfiguration);

        Assert.Equivalent(written, read, strict: true);
        Assert.Equal(json, JsonSerializer.SerializeToUtf8Bytes(read, ServeJson.Default.ModelConfiguration));
    }, iter: 500, threads: 1);

    [Fact]
    public void Names_are_camel_case_and_every_key_is_written()
    {
        var json = JsonSerializer.Serialize(new ModelConfiguration(), ServeJson.Default.ModelConfiguration);

        Assert.Contains("\"maxBatchDelay\":\"00:00:00.1000000\"", json, StringComparison.Ordinal);
        Assert.Contains("\"handler\":null", json, StringComparison.Ordinal);
        Assert.Contains("\"preprocessing\":{\"resize\":null,", json, StringComparison.Ordinal);
        Assert.Contains("\"deviceType\":\"Cpu\"", json, StringComparison.Ordinal);
    }
}
