namespace Serve.Worker.Images.Formats;

/// <summary>Checks the headers of a Windows bitmap and that its pixels are all there.</summary>
internal static class BmpWalk
{
    private const int FileHeaderLength = 14;

    /// <summary>Reads the header and demands that the picture is whole.</summary>
    public static ImageHeader Read(ReadOnlySpan<byte> data, ImageLimits limits)
    {
        const string InHeader = "inside its headers";
        var bytes = new EncodedBytes(data, "BMP");
        long pixels = bytes.UInt32LittleEndian(10, InHeader);
        var headerLength = bytes.UInt32LittleEndian(14, InHeader);
        long width, height;
        int bits, compression = 0;
        if (headerLength == 12)
        {
            width = bytes.UInt16LittleEndian(18, InHeader);
            height = bytes.UInt16LittleEndian(20, InHeader);
            bits = bytes.UInt16LittleEndian(24, InHeader);
        }
        else if (headerLength is >= 40 and <= 1024)
        {
            bytes.Slice(FileHeaderLength, headerLength, InHeader);
            width = bytes.Int32LittleEndian(18, InHeader);
            height = Math.Abs((long)bytes.Int32LittleEndian(22, InHeader));    // negative: rows from the top
            bits = bytes.UInt16LittleEndian(28, InHeader);
            compression = bytes.Int32LittleEndian(30, InHeader);
        }
        else
        {
            throw bytes.Broken($"its information header says that it is {headerLength} bytes long", 14);
        }

        SizeLimit.Check("BMP", width, height, 18, limits);
        if (bits is not (1 or 2 or 4 or 8 or 16 or 24 or 32))
            throw bytes.Broken($"{bits} bits a pixel do not exist", 28);
        if (pixels < FileHeaderLength + headerLength)
            throw bytes.Broken($"its pixels are said to start at byte {pixels}, inside the headers", 10);
        switch (compression)
        {
            case 0 or 3 or 6:
                var needed = (((width * bits) + 31) / 32 * 4 * height) + pixels;
                if (needed > bytes.Length)
                    throw bytes.CutOff($"inside the pixels, which take {needed} bytes");
                break;
            case 1 or 2:
                CheckRunLengths(bytes, pixels, compression == 2 ? 4 : 8);
                break;
            default:
                throw bytes.Unsupported($"it uses compression {compression}", 30);
        }

        return new ImageHeader(ImageFormats.Bmp, (int)width, (int)height);
    }

    /// <summary>Run-length coded pixels end with the escape 00 01; what ends without it is cut off.</summary>
    private static void CheckRunLengths(EncodedBytes bytes, long position, int bits)
    {
        const string InPixels = "inside the run-length coded pixels";
        while (true)
        {
            var count = bytes.Byte(position, InPixels);
            var value = bytes.Byte(position + 1, InPixels);
            position += 2;
            if (count != 0)
                continue;
            switch (value)
            {
                case 0:
                    break;
                case 1:
                    return;
                case 2:
                    position += 2;
                    break;
                default:
                    var length = bits == 8 ? value : (value + 1) / 2;
                    position += (length + 1) & ~1;
                    break;
            }
        }
    }
}
