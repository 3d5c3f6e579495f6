using Serve.Worker.Images.Decoding;

namespace Serve.Tests.Worker.Images;

public sealed class PixelBufferTests
{
    [Fact]
    public void A_large_buffer_stays_while_pictures_need_it_and_goes_when_they_do_not()
    {
        var buffer = new PixelBuffer();
        Use(buffer, 36 << 20);
        Assert.Equal(36 << 20, buffer.SizeBytes);
        for (var picture = 0; picture < 31; picture++)
            Use(buffer, 1000);
        Assert.Equal(36 << 20, buffer.SizeBytes);
        Use(buffer, 36 << 20);
        for (var picture = 0; picture < 32; picture++)
            Use(buffer, 1000);

        Assert.Equal(0, buffer.SizeBytes);
    }

    [Fact]
    public void A_small_buffer_stays_and_a_huge_one_never_does()
    {
        var buffer = new PixelBuffer();
        Use(buffer, 16 << 20);
        for (var picture = 0; picture < 100; picture++)
            Use(buffer, 1);
        Assert.Equal(16 << 20, buffer.SizeBytes);

        Use(buffer, (64 << 20) + 1);
        Assert.Equal(0, buffer.SizeBytes);
    }

    private static unsafe void Use(PixelBuffer buffer, long bytes)
    {
        buffer.Reserve(bytes);
        buffer.Trim();
    }
}
