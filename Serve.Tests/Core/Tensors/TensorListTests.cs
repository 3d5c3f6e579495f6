using System.Buffers;
using CsCheck;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Tests.Core.Tensors;

public sealed class TensorListTests
{
    private static readonly Gen<(string Name, TensorElement Element, long[] Shape, byte[] Data)> Tensor =
        Gen.Select(Gen.String[0, 20], Gen.Enum<TensorElement>(), Gen.Long[0, 9].Array[0, 5], Gen.Byte.Array[0, 40]);

    [Fact]
    public void A_list_comes_back_as_it_was_written() => Tensor.Array[0, 6].Sample(tensors =>
    {
        var list = Write(tensors);
        var reader = new TensorListReader(list);

        Assert.Equal(tensors.Length, reader.Count);
        foreach (var (name, element, shape, data) in tensors)
        {
            Assert.True(reader.TryRead(out var tensor));
            Assert.Equal(element, tensor.ElementType);
            Assert.Equal(shape, tensor.Shape);
            Assert.Equal(data, tensor.Data.ToArray());
            Assert.Equal(data, list.AsSpan(tensor.Offset, data.Length).ToArray());
            Assert.Equal(name.Any(char.IsSurrogate) ? tensor.Name : name, tensor.Name); // half a pair is no text
        }

        Assert.False(reader.TryRead(out _));
    });

    [Fact]
    public void What_is_no_list_is_refused_before_anything_of_it_is_used() =>
        Gen.Select(Tensor.Array[0, 4], Gen.Int[0, 200], Gen.Byte, Gen.Int[-3, 3]).Sample((tensors, at, value, more) =>
        {
            var list = Write(tensors);
            Array.Resize(ref list, Math.Max(0, list.Length + more));
            if (list.Length > 0) list[at % list.Length] = value;
            try
            {
                var reader = new TensorListReader(list);
                while (reader.TryRead(out var tensor)) Assert.InRange(tensor.Offset + tensor.Data.Length, 4, list.Length);
            }
            catch (FormatException)
            {
                // The only exception that there is.
            }
        });

    [Fact]
    public void A_writer_that_does_not_keep_its_word_is_told()
    {
        Assert.Throws<InvalidOperationException>(() =>
        {
            var list = new TensorListWriter(new ArrayBufferWriter<byte>(), 1);
            list.Write([1]);
        });
        Assert.Throws<InvalidOperationException>(() =>
        {
            var list = new TensorListWriter(new ArrayBufferWriter<byte>(), 1);
            list.Declare("x", TensorElement.Int8, [2], 2);
            list.Write([1, 2, 3]);
        });
        Assert.Throws<InvalidOperationException>(() =>
        {
            var list = new TensorListWriter(new ArrayBufferWriter<byte>(), 1);
            list.Declare("x", TensorElement.Int8, [2], 2);
            list.Complete();
        });
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(1L, 0, 0, 0, 0)]
    [InlineData(2L, 1, 0, 0, 0, 65, 0, 0, 0, 0)]
    public void Elements_of_bytes_are_counted(long elements, params int[] data)
    {
        Assert.True(BytesElements.TryCount([.. data.Select(value => (byte)value)], out var counted));
        Assert.Equal(elements, counted);
    }

    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(1, 0, 0, 0)]
    [InlineData(255, 255, 255, 255, 65)]
    [InlineData(0, 0, 0, 0, 7)]
    public void Elements_of_bytes_that_end_beyond_the_data_are_found(params int[] data) =>
        Assert.False(BytesElements.TryCount([.. data.Select(value => (byte)value)], out _));

    private static byte[] Write((string Name, TensorElement Element, long[] Shape, byte[] Data)[] tensors)
    {
        var target = new ArrayBufferWriter<byte>();
        var list = new TensorListWriter(target, tensors.Length);
        foreach (var (name, element, shape, data) in tensors) list.Declare(name, element, shape, data.Length);
        foreach (var tensor in tensors) list.Write(tensor.Data);
        list.Complete();
        return target.WrittenSpan.ToArray();
    }
}
