using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>
/// Takes back the prediction of a row (PNG specification, section 9), in place. Pixel after pixel depends on the one before, so a vector
/// holds one pixel's channels; only "up" goes 16 bytes at a step. Reads up to 7 bytes behind a row and the one above.
/// </summary>
internal static unsafe class PngFilters
{
    /// <summary>The filters that exist are 0 to 4.</summary>
    public const byte Last = 4;

    /// <summary>The row becomes levels.</summary>
    /// <param name="filter">0 to <see cref="Last"/>.</param>
    /// <param name="row">The row, without the byte that names its filter.</param>
    /// <param name="above">The row above, finished; zeros above the first.</param>
    /// <param name="length">Bytes of a row.</param>
    /// <param name="pixelBytes">1, 2, 3, 4, 6 or 8; 1 where pixels are smaller.</param>
    public static void Undo(byte filter, byte* row, byte* above, int length, int pixelBytes)
    {
        switch (pixelBytes)
        {
            case 1:
                Undo<OneByte>(filter, row, above, length);
                break;
            case 2:
                Undo<TwoBytes>(filter, row, above, length);
                break;
            case 3:
                Undo<ThreeBytes>(filter, row, above, length);
                break;
            case 4:
                Undo<FourBytes>(filter, row, above, length);
                break;
            case 6:
                Undo<SixBytes>(filter, row, above, length);
                break;
            default:
                Undo<EightBytes>(filter, row, above, length);
                break;
        }
    }

    private static void Undo<TPixel>(byte filter, byte* row, byte* above, int length)
        where TPixel : struct, IPixel
    {
        switch (filter)
        {
            case 0:
                break;
            case 1:
                UndoSub<TPixel>(row, row + length);
                break;
            case 2:
                UndoUp(row, above, length);
                break;
            case 3:
                UndoAverage<TPixel>(row, above, row + length);
                break;
            default:
                UndoPaeth<TPixel>(row, above, row + length);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UndoSub<TPixel>(byte* row, byte* end)
        where TPixel : struct, IPixel
    {
        var left = Vector128<byte>.Zero;
        for (; row < end; row += TPixel.Bytes)
        {
            left += TPixel.Load(row);
            TPixel.Store(left, row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UndoUp(byte* row, byte* above, int length)
    {
        var i = 0;
        for (; i <= length - Vector128<byte>.Count; i += Vector128<byte>.Count)
            (Vector128.Load(row + i) + Vector128.Load(above + i)).Store(row + i);
        for (; i < length; i++)
            row[i] += above[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UndoAverage<TPixel>(byte* row, byte* above, byte* end)
        where TPixel : struct, IPixel
    {
        var left = Vector128<byte>.Zero;
        for (; row < end; row += TPixel.Bytes, above += TPixel.Bytes)
        {
            // Half of the sum, rounded down, without a ninth bit: what both have, and half of what one of them has.
            var up = TPixel.Load(above);
            var half = ((left ^ up).AsUInt16() >>> 1).AsByte() & Vector128.Create((byte)0x7F);
            left = (left & up) + half + TPixel.Load(row);
            TPixel.Store(left, row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UndoPaeth<TPixel>(byte* row, byte* above, byte* end)
        where TPixel : struct, IPixel
    {
        Vector128<short> left = default, upperLeft = default;
        for (; row < end; row += TPixel.Bytes, above += TPixel.Bytes)
        {
            // The neighbour nearest to left + up - upperLeft; at equal distances left, then up.
            var up = Vector128.WidenLower(TPixel.Load(above)).AsInt16();
            var fromLeft = up - upperLeft;
            var fromUp = left - upperLeft;
            var distanceLeft = Vector128.Abs(fromLeft);
            var distanceUp = Vector128.Abs(fromUp);
            var nearest = Vector128.Min(Vector128.Min(distanceLeft, distanceUp), Vector128.Abs(fromLeft + fromUp));
            var predicted = Vector128.ConditionalSelect(
                Vector128.Equals(nearest, distanceLeft),
                left,
                Vector128.ConditionalSelect(Vector128.Equals(nearest, distanceUp), up, upperLeft));
            left = (predicted + Vector128.WidenLower(TPixel.Load(row)).AsInt16()) & Vector128.Create((short)0xFF);
            upperLeft = up;
            TPixel.Store(Vector128.Narrow(left.AsUInt16(), left.AsUInt16()), row);
        }
    }

    /// <summary>One pixel in the lowest bytes of a vector; the others are undefined.</summary>
    private interface IPixel
    {
        static abstract int Bytes { get; }

        static abstract Vector128<byte> Load(byte* from);

        static abstract void Store(Vector128<byte> pixel, byte* to);
    }

    private readonly struct OneByte : IPixel
    {
        public static int Bytes => 1;

        public static Vector128<byte> Load(byte* from) => Vector128.CreateScalarUnsafe((uint)*from).AsByte();

        public static void Store(Vector128<byte> pixel, byte* to) => *to = (byte)pixel.AsUInt32().ToScalar();
    }

    private readonly struct TwoBytes : IPixel
    {
        public static int Bytes => 2;

        public static Vector128<byte> Load(byte* from) => Vector128.CreateScalarUnsafe((uint)*(ushort*)from).AsByte();

        public static void Store(Vector128<byte> pixel, byte* to) => *(ushort*)to = (ushort)pixel.AsUInt32().ToScalar();
    }

    private readonly struct ThreeBytes : IPixel
    {
        public static int Bytes => 3;

        public static Vector128<byte> Load(byte* from) => Vector128.CreateScalarUnsafe(*(uint*)from).AsByte();

        public static void Store(Vector128<byte> pixel, byte* to)
        {
            // Not a fourth byte: it names the next row's filter.
            var bytes = pixel.AsUInt32().ToScalar();
            *(ushort*)to = (ushort)bytes;
            to[2] = (byte)(bytes >> 16);
        }
    }

    private readonly struct FourBytes : IPixel
    {
        public static int Bytes => 4;

        public static Vector128<byte> Load(byte* from) => Vector128.CreateScalarUnsafe(*(uint*)from).AsByte();

        public static void Store(Vector128<byte> pixel, byte* to) => *(uint*)to = pixel.AsUInt32().ToScalar();
    }

    private readonly struct SixBytes : IPixel
    {
        public static int Bytes => 6;

        public static Vector128<byte> Load(byte* from) => Vector128.CreateScalarUnsafe(*(ulong*)from).AsByte();

        public static void Store(Vector128<byte> pixel, byte* to)
        {
            var bytes = pixel.AsUInt64().ToScalar();
            *(uint*)to = (uint)bytes;
            *(ushort*)(to + 4) = (ushort)(bytes >> 32);
        }
    }

    private readonly struct EightBytes : IPixel
    {
        public static int Bytes => 8;

        public static Vector128<byte> Load(byte* from) => Vector128.CreateScalarUnsafe(*(ulong*)from).AsByte();

        public static void Store(Vector128<byte> pixel, byte* to) => *(ulong*)to = pixel.AsUInt64().ToScalar();
    }
}
