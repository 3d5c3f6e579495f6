using System.Buffers.Binary;
using Serve.Worker.Images.Formats;

namespace Serve.Tests.Worker.Images;

/// <summary>Writes PNG chunks by hand, for files that no encoder makes.</summary>
internal static class PngChunks
{
    public static void Write(Stream output, ReadOnlySpan<byte> type, ReadOnlySpan<byte> content)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, content.Length);
        output.Write(number);
        output.Write(type);
        output.Write(content);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.Compute([.. type, .. content]));
        output.Write(number);
    }

    /// <summary>Makes the checksums fit again, so that damage reaches the decoder.</summary>
    public static void Repair(Span<byte> png)
    {
        for (var position = 8; position + 12 <= png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png[position..]);
            if (length < 0 || length > png.Length - position - 12)
                return;
            BinaryPrimitives.WriteUInt32BigEndian(png[(position + 8 + length)..], Crc32.Compute(png.Slice(position + 4, length + 4)));
            position += 12 + length;
        }
    }
}
