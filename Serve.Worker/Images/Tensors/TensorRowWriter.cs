using System.Runtime.CompilerServices;
using Serve.Core.Configuration;

namespace Serve.Worker.Images.Tensors;

/// <summary>
/// Writes finished rows of RGB pixels into a tensor in its layout, channel order and element type. Immutable, shared between threads.
/// The bits are the same at every <see cref="SimdLevel"/>; the vector paths cover what models mostly take (NCHW in float32, and bytes in every layout).
/// </summary>
internal sealed unsafe class TensorRowWriter
{
    private const int PixelsPerPiece = 256;

    private readonly int _width;
    private readonly int _channels;
    private readonly nint _planeElements;

    // How far neighbours in a row are apart.
    private readonly nint _step;
    private readonly ImageElement _element;
    private readonly TensorLayout _layout;
    private readonly ChannelOrder _order;
    private readonly SimdLevel _simd;

    // By channel of the tensor, and where in a pixel that channel stands.
    private readonly LevelTransform[] _transforms;
    private readonly int[] _sources;

    public TensorRowWriter(ImagePreprocessing options, SimdLevel simd)
    {
        var (height, width) = options.OutputSize;
        _width = width;
        _channels = options.ChannelCount;
        _planeElements = (nint)height * width;
        _step = options.Layout == TensorLayout.Nchw ? 1 : _channels;
        _element = options.Element;
        _layout = options.Layout;
        _order = options.Channels;
        _transforms = [.. Enumerable.Range(0, _channels).Select(channel => new LevelTransform(options.Scale, Of(options.Mean, channel), Of(options.Std, channel)))];
        _sources = options.Channels switch { ChannelOrder.Gray => [0], ChannelOrder.Bgr => [2, 1, 0], _ => [0, 1, 2] };
        _simd = options.Element == ImageElement.UInt8 || _transforms.All(transform => transform.IsExact(simd)) ? simd : SimdLevel.Scalar;

        static double Of(IReadOnlyList<double> values, int channel) => values[values.Count == 1 ? 0 : channel];
    }

    /// <summary>Writes row <paramref name="y"/> of the tensor. A grey tensor takes the first of each pixel's three equal levels.</summary>
    public void Write(byte* row, int y, byte* tensor)
    {
        switch (_element)
        {
            case ImageElement.Float32:
                WriteFloats(row, y, (float*)tensor);
                break;
            case ImageElement.Float16:
                WriteHalves(row, y, (Half*)tensor);
                break;
            default:
                WriteLevels(row, y, tensor);
                break;
        }
    }

    private void WriteFloats(byte* row, int y, float* tensor)
    {
        var first = _layout == TensorLayout.Nchw && _channels == 3 && _simd != SimdLevel.Scalar ? WriteFloatPlanes(row, y, tensor) : 0;
        for (var channel = 0; channel < _channels; channel++)
            WriteByTable(row, first, channel, y, tensor, _transforms[channel].Single);
    }

    /// <summary>Pixels by the hundred into planes of levels on the stack, and each plane into floats; returns how many pixels that were.</summary>
    [SkipLocalsInit]
    private int WriteFloatPlanes(byte* row, int y, float* tensor)
    {
        byte* planes = stackalloc byte[3 * PixelsPerPiece];
        var done = 0;
        while (_width - done >= PlanarKernel.PixelsPerStep)
        {
            var pixels = PlanarKernel.Separate(
                row + (3 * (nint)done), Math.Min(_width - done, PixelsPerPiece), planes, planes + PixelsPerPiece, planes + (2 * PixelsPerPiece));
            for (var channel = 0; channel < 3; channel++)
            {
                var levels = planes + (_sources[channel] * PixelsPerPiece);
                if (_simd == SimdLevel.Avx2)
                    FloatKernel.Write256(levels, pixels, Plane(tensor, channel, y) + done, _transforms[channel]);
                else
                    FloatKernel.Write128(levels, pixels, Plane(tensor, channel, y) + done, _transforms[channel]);
            }

            done += pixels;
        }

        return done;
    }

    private void WriteHalves(byte* row, int y, Half* tensor)
    {
        for (var channel = 0; channel < _channels; channel++)
            WriteByTable(row, 0, channel, y, tensor, _transforms[channel].Half);
    }

    private void WriteLevels(byte* row, int y, byte* tensor)
    {
        if (_layout == TensorLayout.Nhwc && _order == ChannelOrder.Rgb)
        {
            Unsafe.CopyBlockUnaligned(tensor + ((nint)y * _width * 3), row, (uint)_width * 3);
            return;
        }

        var first = 0;
        if (_simd != SimdLevel.Scalar && _channels == 1)
            first = InterleavedKernel.TakeFirst(row, _width, Row(tensor, 0, y));
        else if (_simd != SimdLevel.Scalar && _layout == TensorLayout.Nhwc)
            first = InterleavedKernel.Reverse(row, _width, Row(tensor, 0, y));
        else if (_layout == TensorLayout.Nchw && _channels == 3 && _simd != SimdLevel.Scalar)
            first = PlanarKernel.Separate(row, _width, Plane(tensor, _sources[0], y), Plane(tensor, 1, y), Plane(tensor, _sources[2], y));

        for (var channel = 0; channel < _channels; channel++)
        {
            var output = Row(tensor, channel, y);
            for (nint x = first; x < _width; x++)
                output[x * _step] = row[(3 * x) + _sources[channel]];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteByTable<T>(byte* row, int first, int channel, int y, T* tensor, T[] table)
        where T : unmanaged
    {
        var output = Row(tensor, channel, y);
        var source = row + _sources[channel];
        var width = _width;
        var step = _step;
        fixed (T* values = table)
        {
            for (nint x = first; x < width; x++)
                output[x * step] = values[source[3 * x]];
        }
    }

    private T* Plane<T>(T* tensor, int channel, int y)
        where T : unmanaged => tensor + (channel * _planeElements) + ((nint)y * _width);

    /// <summary>The first value of a channel's row; the others follow <see cref="_step"/> apart.</summary>
    private T* Row<T>(T* tensor, int channel, int y)
        where T : unmanaged =>
        _layout == TensorLayout.Nchw ? Plane(tensor, channel, y) : tensor + ((nint)y * _width * _channels) + channel;
}
