using Serve.Core.Models.Creation;
using Serve.Core.Onnx;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Core.Models.Creation;

public sealed class SeededWeightsTests
{
    private static readonly OnnxWeight Weight = new("w", [100_000], DataType.Float, 0);

    [Fact]
    public void Values_have_the_mean_and_deviation_asked_for_and_end_at_three_and_a_half_deviations()
    {
        var values = Fill(1, 0, 100_000);

        var mean = values.Average(value => (double)value);
        var deviation = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
        Assert.InRange(mean, 0.5 - 0.001, 0.5 + 0.001);
        Assert.InRange(deviation, 0.0995, 0.1005);
        Assert.All(values, value => Assert.InRange(value, 0.5f - 0.3465f, 0.5f + 0.3465f));
    }

    [Fact]
    public void A_piece_is_the_same_whether_asked_for_alone_or_within_the_whole()
    {
        Assert.Equal(Fill(1, 0, 1000)[600..700], Fill(1, 600, 100));
    }

    [Fact]
    public void Values_are_these_for_ever()
    {
        // Bits, not roundings of them: a change here changes every model that anybody created from a seed.
        Assert.Equal("3f06e736 3edab9c9 3ed0e362 3f1ef585", string.Join(' ', Fill(42, 0, 4).Select(value => BitConverter.SingleToUInt32Bits(value).ToString("x8"))));
    }

    private static float[] Fill(ulong seed, long first, int count)
    {
        var values = new float[count];
        new SeededWeights(seed, [new("w", [100_000], new(Mean: 0.5, StandardDeviation: 0.1))]).Fill(Weight, first, values);
        return values;
    }
}
