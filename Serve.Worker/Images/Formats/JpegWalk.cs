using System.Numerics;

namespace Serve.Worker.Images.Formats;

/// <summary>
/// Walks the markers of a JPEG from start to end-of-image, without decoding: size, tables, scans, truncation (ITU-T T.81, annex B).
/// A decoder fills what is missing with grey and says nothing; this does not. Costs under 1% of decoding.
/// </summary>
internal static class JpegWalk
{
    /// <summary>Encoders write 6 to 14 scans. Every scan costs a pass over all coefficients, and a scan of nothing is a few bytes: without a limit 140 KB keep a decoder busy for 20 s.</summary>
    public const int MaxScans = 100;

    private const byte StartOfImage = 0xD8;
    private const byte EndOfImage = 0xD9;
    private const byte StartOfScan = 0xDA;
    private const byte HuffmanTables = 0xC4;
    private const byte ArithmeticConditioning = 0xCC;
    private const byte JpegExtension = 0xC8;
    private const byte QuantizationTables = 0xDB;
    private const byte NumberOfLines = 0xDC;

    /// <summary>Reads the header and demands that the picture is whole.</summary>
    public static ImageHeader Read(ReadOnlySpan<byte> data, ImageLimits limits)
    {
        var bytes = new EncodedBytes(data, "JPEG");
        var frame = default(Frame);
        var scans = 0;
        var position = 2L;
        while (true)
        {
            var marker = ReadMarker(bytes, ref position);
            var markerOffset = position - 2;
            if (marker == EndOfImage)
                break;
            if (marker is 0x01 or (>= 0xD0 and <= 0xD7))
                continue;
            if (marker is StartOfImage or < 0xC0)
                throw bytes.Broken($"marker FF{marker:X2} has no place here", markerOffset);

            int length = bytes.UInt16BigEndian(position, "in the header of a segment");
            if (length < 2)
                throw bytes.Broken($"segment FF{marker:X2} says that it is {length} bytes long", position);
            var segment = bytes.Slice(position + 2, length - 2, "inside a segment", markerOffset);
            position += length;

            switch (marker)
            {
                case HuffmanTables:
                    CheckHuffmanTables(bytes, segment, markerOffset + 4);
                    break;
                case QuantizationTables:
                    CheckQuantizationTables(bytes, segment, markerOffset + 4);
                    break;
                case JpegExtension or ArithmeticConditioning or NumberOfLines:
                    throw bytes.Unsupported($"it uses marker FF{marker:X2}", markerOffset);
                case >= 0xC0 and <= 0xCF:
                    if (frame.Width != 0)
                        throw bytes.Broken("it has a second frame header", markerOffset);
                    frame = ReadFrame(bytes, marker, segment, markerOffset, limits);
                    break;
                case StartOfScan:
                    scans++;
                    CheckScan(bytes, segment, ref frame, scans, markerOffset);
                    position = SkipEntropyCodedData(bytes, position, scans, markerOffset);
                    break;
            }
        }

        if (scans == 0)
            throw bytes.Broken("the end-of-image marker comes before any picture data", position - 2);
        if (BitOperations.PopCount(frame.ComponentsWithData) != frame.Components)
            throw bytes.Broken($"the picture ends with data for {BitOperations.PopCount(frame.ComponentsWithData)} of its {frame.Components} colour components", position - 2);
        return new ImageHeader(ImageFormats.Jpeg, frame.Width, frame.Height, scans);
    }

    private static byte ReadMarker(EncodedBytes bytes, ref long position)
    {
        var first = bytes.Byte(position, "before the end-of-image marker");
        if (first != 0xFF)
            throw bytes.Broken($"a marker was expected and {first:X2} found", position);

        byte code;
        do
            code = bytes.Byte(++position, "before the end-of-image marker");
        while (code == 0xFF);   // fill bytes, T.81 B.1.1.2
        position++;
        return code;
    }

    private static Frame ReadFrame(EncodedBytes bytes, byte marker, ReadOnlySpan<byte> segment, long offset, ImageLimits limits)
    {
        if (marker is not (0xC0 or 0xC1 or 0xC2))
        {
            var coding = marker switch { 0xC3 => "lossless coding", <= 0xC7 => "hierarchical coding", _ => "arithmetic coding" };
            throw bytes.Unsupported($"it uses {coding}", offset);
        }

        if (segment.Length < 6 || segment.Length != 6 + (3 * segment[5]))
            throw bytes.Broken("the frame header's length does not fit its number of components", offset);
        if (segment[0] != 8)
            throw bytes.Unsupported($"it has {segment[0]} bits a sample and not 8", offset + 4);

        int height = (segment[1] << 8) | segment[2];
        int width = (segment[3] << 8) | segment[4];
        SizeLimit.Check("JPEG", width, height, offset + 5, limits);

        int components = segment[5];
        if (components is not (1 or 3 or 4))
            throw bytes.Unsupported($"it has {components} colour components and not 1, 3 or 4", offset + 9);

        var identifiers = 0u;
        for (var i = 0; i < components; i++)
        {
            var component = segment.Slice(6 + (3 * i), 3);
            int horizontal = component[1] >> 4, vertical = component[1] & 15;
            if (horizontal is < 1 or > 4 || vertical is < 1 or > 4)
                throw bytes.Broken($"colour component {i + 1} says sampling {horizontal}x{vertical}, and only 1 to 4 exist", offset + 11 + (3 * i));
            identifiers |= (uint)component[0] << (8 * i);
        }

        return new Frame(width, height, components, identifiers);
    }

    private static void CheckScan(EncodedBytes bytes, ReadOnlySpan<byte> segment, ref Frame frame, int scans, long offset)
    {
        if (frame.Width == 0)
            throw bytes.Broken("picture data starts before the frame header", offset);
        if (scans > MaxScans)
            throw bytes.Broken($"it has more than {MaxScans} scans, which only costs time", offset);
        if (segment.Length < 4 || segment[0] is < 1 or > 4 || segment.Length != 4 + (2 * segment[0]))
            throw bytes.Broken("the scan header's length does not fit its number of components", offset);

        var spectralStart = segment[^3];
        for (var i = 0; i < segment[0]; i++)
        {
            var index = frame.IndexOf(segment[1 + (2 * i)]);
            if (index < 0)
                throw bytes.Broken($"the scan names colour component {segment[1 + (2 * i)]}, which the frame header does not have", offset + 5 + (2 * i));
            if (spectralStart == 0)
                frame.ComponentsWithData |= 1u << index;
        }
    }

    /// <summary>To the marker after the scan: within the data FF is followed by 00 or is a restart marker.</summary>
    private static long SkipEntropyCodedData(EncodedBytes bytes, long position, int scan, long scanOffset)
    {
        var data = bytes.Span;
        var at = (int)position;
        while (true)
        {
            var skipped = data[at..].IndexOf((byte)0xFF);
            if (skipped < 0 || at + skipped + 1 >= data.Length)
                throw bytes.CutOff($"inside the data of scan {scan}, which starts at byte {scanOffset}, before the end-of-image marker");
            at += skipped;
            switch (data[at + 1])
            {
                case 0x00 or (>= 0xD0 and <= 0xD7):
                    at += 2;
                    break;
                case 0xFF:
                    at++;
                    break;
                default:
                    return at;
            }
        }
    }

    private static void CheckHuffmanTables(EncodedBytes bytes, ReadOnlySpan<byte> segment, long offset)
    {
        var at = 0;
        while (at < segment.Length)
        {
            if (segment.Length - at < 17)
                throw bytes.Broken("a Huffman table is shorter than its 17 fixed bytes", offset + at);
            if ((segment[at] >> 4) > 1 || (segment[at] & 15) > 3)
                throw bytes.Broken($"a Huffman table has the class and number {segment[at]:X2}", offset + at);

            // Codes of length n use up 2^(16-n) of the 2^16 that there are: more than all cannot be a prefix code.
            int symbols = 0, used = 0;
            for (var bits = 1; bits <= 16; bits++)
            {
                symbols += segment[at + bits];
                used += segment[at + bits] << (16 - bits);
            }

            if (used > 1 << 16 || symbols > 256)
                throw bytes.Broken("a Huffman table has more codes than can exist", offset + at + 1);
            if (symbols > segment.Length - at - 17)
                throw bytes.Broken($"a Huffman table says {symbols} symbols and has room for {segment.Length - at - 17}", offset + at + 1);
            at += 17 + symbols;
        }
    }

    private static void CheckQuantizationTables(EncodedBytes bytes, ReadOnlySpan<byte> segment, long offset)
    {
        var at = 0;
        while (at < segment.Length)
        {
            int precision = segment[at] >> 4;
            if (precision > 1 || (segment[at] & 15) > 3)
                throw bytes.Broken($"a quantization table has the precision and number {segment[at]:X2}", offset + at);
            var length = 1 + (64 << precision);
            if (segment.Length - at < length)
                throw bytes.Broken("a quantization table is cut short", offset + at);
            at += length;
        }
    }

    private record struct Frame(int Width, int Height, int Components, uint Identifiers)
    {
        /// <summary>A bit for each component whose first coefficients some scan carries.</summary>
        public uint ComponentsWithData { get; set; }

        public readonly int IndexOf(byte identifier)
        {
            for (var i = 0; i < Components; i++)
            {
                if ((byte)(Identifiers >> (8 * i)) == identifier)
                    return i;
            }

            return -1;
        }
    }
}
