namespace Serve.Worker.Images.Formats;

/// <summary>Reads the first directory of a TIFF: size, and that every strip or tile of its pixels is there (TIFF 6.0, section 2).</summary>
internal static class TiffWalk
{
    private const int WidthTag = 256;
    private const int HeightTag = 257;
    private const int StripOffsetsTag = 273;
    private const int StripLengthsTag = 279;
    private const int TileOffsetsTag = 324;
    private const int TileLengthsTag = 325;
    private const int EntryLength = 12;

    /// <summary>Reads the header and demands that the picture is whole.</summary>
    public static ImageHeader Read(ReadOnlySpan<byte> data, ImageLimits limits)
    {
        var reader = new Reader(new EncodedBytes(data, "TIFF"), data[0] == (byte)'M');
        long directory = reader.UInt32(4, "inside the file header");
        var entries = reader.UInt16(directory, "before its directory");
        long width = 0, height = 0;
        Entry offsets = default, lengths = default;
        for (var i = 0; i < entries; i++)
        {
            var at = directory + 2 + ((long)i * EntryLength);
            var entry = reader.Entry(at, "inside its directory");
            switch (entry.Tag)
            {
                case WidthTag:
                    width = reader.Value(entry, 0);
                    break;
                case HeightTag:
                    height = reader.Value(entry, 0);
                    break;
                case StripOffsetsTag or TileOffsetsTag:
                    offsets = entry;
                    break;
                case StripLengthsTag or TileLengthsTag:
                    lengths = entry;
                    break;
                default:
                    reader.CheckInside(entry);
                    break;
            }
        }

        SizeLimit.Check("TIFF", width, height, directory, limits);
        CheckPixels(reader, offsets, lengths, directory);
        return new ImageHeader(ImageFormats.Tiff, (int)width, (int)height);
    }

    private static void CheckPixels(Reader reader, Entry offsets, Entry lengths, long directory)
    {
        if (offsets.Count == 0 || lengths.Count != offsets.Count)
            throw reader.Bytes.Broken($"it has {offsets.Count} strips or tiles and {lengths.Count} lengths for them", directory);

        reader.CheckInside(offsets);
        reader.CheckInside(lengths);
        for (var i = 0; i < offsets.Count; i++)
        {
            var start = reader.Value(offsets, i);
            var length = reader.Value(lengths, i);
            if (length == 0)
                throw reader.Bytes.Broken($"strip or tile {i + 1} of its pixels is empty", start);
            if (start + length > reader.Bytes.Length)
                throw reader.Bytes.CutOff($"inside strip or tile {i + 1} of its pixels, bytes {start} to {start + length}");
        }
    }

    private readonly record struct Entry(long Offset, int Tag, int Type, uint Count)
    {
        /// <summary>Bytes of one value, by type: 1 byte, 2 ASCII, 3 short, 4 long, 5 rational, and their signed and floating kin.</summary>
        public int ValueLength => Type switch { 1 or 2 or 6 or 7 => 1, 3 or 8 => 2, 4 or 9 or 11 or 13 => 4, 5 or 10 or 12 => 8, _ => 0 };
    }

    private readonly ref struct Reader(EncodedBytes bytes, bool bigEndian)
    {
        public EncodedBytes Bytes { get; } = bytes;

        public ushort UInt16(long offset, string what) =>
            bigEndian ? Bytes.UInt16BigEndian(offset, what) : Bytes.UInt16LittleEndian(offset, what);

        public uint UInt32(long offset, string what) =>
            bigEndian ? Bytes.UInt32BigEndian(offset, what) : Bytes.UInt32LittleEndian(offset, what);

        public Entry Entry(long offset, string what) =>
            new(offset, UInt16(offset, what), UInt16(offset + 2, what), UInt32(offset + 4, what) is var count && Bytes.Slice(offset, EntryLength, what).Length > 0 ? count : 0);

        /// <summary>Values that do not fit the entry's four bytes stand elsewhere: there must be room for all of them.</summary>
        public void CheckInside(Entry entry)
        {
            var length = entry.Count * (long)entry.ValueLength;
            if (length > 4)
                Bytes.Slice(UInt32(entry.Offset + 8, ""), length, "before the values of a directory entry", entry.Offset);
        }

        public long Value(Entry entry, long index)
        {
            if (entry.Type is not (3 or 4) || index >= entry.Count)
                throw Bytes.Broken($"tag {entry.Tag} has the type {entry.Type} and {entry.Count} values", entry.Offset);
            var start = entry.Count * entry.ValueLength <= 4 ? entry.Offset + 8 : UInt32(entry.Offset + 8, "");
            const string InValues = "before the values of the directory";
            return entry.Type == 3 ? UInt16(start + (2 * index), InValues) : UInt32(start + (4 * index), InValues);
        }
    }
}
