using System.Text;
using CsCheck;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Tests.Core.Tensors;

public sealed class TensorTextTests
{
    [Fact]
    public void Every_datatype_and_shape_comes_back_from_its_text() =>
        Gen.Select(Gen.Enum<TensorElement>(), Gen.Long[0, long.MaxValue].Array[0, TensorShape.MostDimensions]).Sample((element, shape) =>
        {
            var text = TensorText.Of(element, shape);
            Span<long> room = stackalloc long[TensorShape.MostDimensions];

            Assert.True(TensorText.TryRead(text, out var read, room, out var rank));
            Assert.Equal(element, read);
            Assert.Equal(shape, room[..rank].ToArray());
            Assert.InRange(text.Length, 1, TensorText.MostBytesOf(shape.Length));
        });

    [Theory]
    [InlineData(TensorElement.Float32, "FP32[1,3,224,224]", 1L, 3L, 224L, 224L)]
    [InlineData(TensorElement.Int32, "INT32[]")]
    [InlineData(TensorElement.String, "BYTES[2]", 2L)]
    public void The_text_is_the_protocol_s(TensorElement element, string text, params long[] shape) => Assert.Equal(text, TensorText.Of(element, shape));

    [Theory]
    [InlineData("")]
    [InlineData("FP32")]
    [InlineData("[1]")]
    [InlineData("fp32[1]")]
    [InlineData("FP33[1]")]
    [InlineData("FP32[1")]
    [InlineData("FP32[-1]")]
    [InlineData("FP32[1,]")]
    [InlineData("FP32[,1]")]
    [InlineData("FP32[ 1]")]
    [InlineData("FP32[1]x")]
    [InlineData("FP32[9223372036854775808]")]
    [InlineData("FP32[1é]")]
    public void What_is_no_such_text_is_refused(string text) =>
        Assert.False(TensorText.TryRead(text, out _, stackalloc long[TensorShape.MostDimensions], out _));

    [Fact]
    public void More_dimensions_than_may_be_are_refused()
    {
        var text = $"INT8[{string.Join(',', Enumerable.Repeat(1, TensorShape.MostDimensions + 1))}]";

        Assert.False(TensorText.TryRead(text, out _, stackalloc long[TensorShape.MostDimensions], out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => TensorText.Of(TensorElement.Int8, new long[TensorShape.MostDimensions + 1]));
    }

    [Theory]
    [InlineData(1L)]
    [InlineData(0L, 0L, long.MaxValue, long.MaxValue)]
    [InlineData(24L, 2L, 3L, 4L)]
    public void Elements_are_counted(long elements, params long[] shape)
    {
        Assert.True(TensorShape.TryCount(shape, out var counted));
        Assert.Equal(elements, counted);
    }

    [Theory]
    [InlineData(-1L)]
    [InlineData(0L, -1L)]
    [InlineData(long.MaxValue, 2L)]
    [InlineData(1L << 32, 1L << 32)]
    public void Negative_and_overflowing_shapes_have_no_size(params long[] shape) => Assert.False(TensorShape.TryCount(shape, out _));

    [Fact]
    public void Bytes_may_overflow_where_elements_do_not()
    {
        long[] shape = [1L << 61];

        Assert.True(TensorShape.TryCount(shape, out _));
        Assert.False(TensorShape.TryCountBytes(TensorElement.Float64, shape, out _));
    }

    [Fact]
    public void Names_are_those_of_the_protocol()
    {
        Assert.Equal("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 BF16 FP32 FP64 BYTES", string.Join(' ', Datatypes.All.Select(element => element.Datatype())));
        Assert.All(Datatypes.All, element => Assert.True(Datatypes.TryParse(Encoding.ASCII.GetBytes(element.Datatype()), out var read) && read == element));
        Assert.False(Datatypes.TryParse("STRING", out _));
        Assert.False(Datatypes.TryParse("BYTESandmore", out _));
    }
}
