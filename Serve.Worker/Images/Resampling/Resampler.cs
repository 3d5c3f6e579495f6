using System.Runtime.CompilerServices;
using Serve.Worker.Images.Decoding;
using Serve.Worker.Images.Tensors;

namespace Serve.Worker.Images.Resampling;

/// <summary>
/// Resize, crop and padding of one picture, row by row: source rows are filtered along x into a small ring, and rows of the ring
/// along y into the tensor, as soon as they are there. Only the rows and columns that the crop keeps are touched. Equal to PIL bit for bit.
/// </summary>
internal readonly unsafe ref struct Resampler<TKernel>(IDecodedImage image, in ResamplePlan plan, bool grey, TensorRowWriter writer, byte* tensor, ResampleScratch scratch)
    where TKernel : struct, IResampleKernel
{
    private const int Slack = IResampleKernel.SlackBytes;

    private readonly IDecodedImage _image = image;
    private readonly ResamplePlan _plan = plan;
    private readonly bool _grey = grey;
    private readonly TensorRowWriter _writer = writer;
    private readonly byte* _tensor = tensor;
    private readonly ResampleScratch _scratch = scratch;

    // The finished row: black where the picture is padded.
    private readonly byte* _row = ClearedRow(plan.X.OutputSize, scratch);

    private int KeptBytes => 3 * _plan.X.Count;

    private bool IsPadded => _plan.X.OutputSize != _plan.X.Count;

    /// <summary>Fills the tensor.</summary>
    public void Run()
    {
        var y = _plan.Y;
        for (var row = 0; row < y.PaddingBefore; row++)
            _writer.Write(_row, row, _tensor);
        for (var row = y.PaddingBefore + y.Count; row < y.OutputSize; row++)
            _writer.Write(_row, row, _tensor);

        if (!_plan.Vertical.IsIdentity)
            FilterBothAxes();
        else if (!_plan.Horizontal.IsIdentity || IsPadded || _grey)
            FilterRows();
        else
            WriteSourceRows();
    }

    private static byte* ClearedRow(int width, ResampleScratch scratch)
    {
        var bytes = (3 * width) + Slack;
        var row = scratch.TensorRow(bytes);
        new Span<byte>(row, bytes).Clear();
        return row;
    }

    /// <summary>Nothing to filter: source rows go into the tensor as they are.</summary>
    private void WriteSourceRows()
    {
        for (var i = 0; i < _plan.Y.Count; i++)
        {
            fixed (byte* row = _image.Row(_plan.Y.First + i))
                _writer.Write(row + (3 * (nint)_plan.X.First), _plan.Y.PaddingBefore + i, _tensor);
        }
    }

    private void FilterRows()
    {
        for (var i = 0; i < _plan.Y.Count; i++)
        {
            var source = _plan.Y.First + i;
            var output = _row + (3 * _plan.X.PaddingBefore);
            FilterAlongX(source, source, output, output);
            FinishRow(i);
        }
    }

    private void FilterBothAxes()
    {
        var vertical = _plan.Vertical;

        // Rows come in twos, so one more than an output needs may be there.
        var ringRows = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)vertical.Taps + 2);
        var mask = ringRows - 1;
        nint stride = (KeptBytes + Slack + 63) & ~63;
        var ring = _scratch.Ring((stride * ringRows) + Slack);
        var next = vertical.FirstInput;
        for (var i = 0; i < _plan.Y.Count; i++)
        {
            var end = Math.Min(vertical.Starts[i] + vertical.Taps, vertical.EndInput);
            while (next < end)
            {
                var other = Math.Min(next + 1, vertical.EndInput - 1);
                FilterAlongX(next, other, ring + ((next & mask) * stride), ring + ((other & mask) * stride));
                next = other + 1;
            }

            TKernel.Vertical(vertical, i, ring, stride, mask, _row + (3 * _plan.X.PaddingBefore), KeptBytes);
            FinishRow(i);
        }
    }

    private void FinishRow(int index)
    {
        if (IsPadded)
        {
            // The kernels write more than a row: black again where the padding is.
            var end = 3 * (_plan.X.PaddingBefore + _plan.X.Count);
            new Span<byte>(_row + end, (3 * _plan.X.OutputSize) + Slack - end).Clear();
        }

        _writer.Write(_row, _plan.Y.PaddingBefore + index, _tensor);
    }

    /// <summary>Filters two rows of the picture, or twice the same.</summary>
    private void FilterAlongX(int y0, int y1, byte* output0, byte* output1)
    {
        fixed (byte* row0 = _image.Row(y0), row1 = _image.Row(y1))
        {
            if (_plan.Horizontal.IsIdentity)
            {
                CopyRow(row0, output0);
                CopyRow(row1, output1);
                return;
            }

            FilterAlongX(row0, row1, output0, output1);
        }
    }

    private void CopyRow(byte* row, byte* output)
    {
        var first = 3 * (nint)_plan.X.First;
        if (_grey)
            LumaRow.Convert(row + first, output, 0, _plan.X.Count);
        else
            Unsafe.CopyBlockUnaligned(output, row + first, (uint)KeptBytes);
    }

    private void FilterAlongX(byte* row0, byte* row1, byte* output0, byte* output1)
    {
        var horizontal = _plan.Horizontal;
        var width = _image.Width;
        var blockBytes = horizontal.Blocks * AxisPlan.TapsPerBlock * 3;
        if (_grey)
        {
            var stride = (3 * width) + blockBytes + Slack;
            var line = _scratch.Line(2L * stride);
            LumaRow.Convert(row0, line, horizontal.FirstInput, horizontal.EndInput);
            LumaRow.Convert(row1, line + stride, horizontal.FirstInput, horizontal.EndInput);
            TKernel.Horizontal(horizontal, line, line + stride, output0, output1, 0, _plan.X.Count);
            return;
        }

        // Outputs near the right edge read past the row's end: those are computed from a copy of its end with slack behind it.
        var starts = horizontal.Starts;
        var inside = _plan.X.Count;
        while (inside > 0 && (3 * starts[inside - 1]) + blockBytes + 4 > 3 * width)
            inside--;
        TKernel.Horizontal(horizontal, row0, row1, output0, output1, 0, inside);
        if (inside == _plan.X.Count)
            return;

        var tailStart = 3 * (nint)starts[inside];
        var tailBytes = (3 * (nint)width) - tailStart;
        var tailStride = tailBytes + blockBytes + Slack;
        var tail = _scratch.Tail(2 * (long)tailStride);
        Unsafe.CopyBlockUnaligned(tail, row0 + tailStart, (uint)tailBytes);
        Unsafe.CopyBlockUnaligned(tail + tailStride, row1 + tailStart, (uint)tailBytes);
        TKernel.Horizontal(horizontal, tail - tailStart, tail + tailStride - tailStart, output0, output1, inside, _plan.X.Count);
    }
}
