using Serve.Core.Configuration;

namespace Serve.Tests.Worker.Images;

/// <summary>Pillow's Resample.c, transcribed as it stands: slow, whole pictures, no crop. What our resampler must equal.</summary>
internal static class PillowReference
{
    private const int PrecisionBits = 32 - 8 - 2;

    public static byte[] Resize(byte[] rgb, int width, int height, int newWidth, int newHeight, Interpolation interpolation)
    {
        var horizontal = newWidth == width ? rgb : Pass(rgb, width, height, newWidth, interpolation);
        return newHeight == height
            ? horizontal
            : Transpose(Pass(Transpose(horizontal, newWidth, height), height, newWidth, newHeight, interpolation), newHeight, newWidth);
    }

    private static byte[] Transpose(byte[] rgb, int width, int height)
    {
        var transposed = new byte[rgb.Length];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
                rgb.AsSpan(((y * width) + x) * 3, 3).CopyTo(transposed.AsSpan(((x * height) + y) * 3));
        }

        return transposed;
    }

    private static byte[] Pass(byte[] rgb, int width, int height, int newWidth, Interpolation interpolation)
    {
        var output = new byte[newWidth * height * 3];
        double scale = (double)width / newWidth, filterScale = Math.Max(scale, 1.0);
        var support = (interpolation == Interpolation.Bilinear ? 1.0 : 2.0) * filterScale;
        for (var xx = 0; xx < newWidth; xx++)
        {
            var center = (xx + 0.5) * scale;
            var ss = 1.0 / filterScale;
            var xmin = Math.Max(0, (int)(center - support + 0.5));
            var xmax = Math.Min(width, (int)(center + support + 0.5)) - xmin;
            var k = new double[xmax];
            var ww = 0.0;
            for (var x = 0; x < xmax; x++)
            {
                k[x] = Filter((x + xmin - center + 0.5) * ss, interpolation);
                ww += k[x];
            }

            for (var y = 0; y < height; y++)
            {
                for (var channel = 0; channel < 3; channel++)
                {
                    var sum = 1 << (PrecisionBits - 1);
                    for (var x = 0; x < xmax; x++)
                    {
                        var w = k[x] / ww;
                        var fixedPoint = w < 0 ? (int)(-0.5 + (w * (1 << PrecisionBits))) : (int)(0.5 + (w * (1 << PrecisionBits)));
                        sum += rgb[(((y * width) + xmin + x) * 3) + channel] * fixedPoint;
                    }

                    output[(((y * newWidth) + xx) * 3) + channel] = (byte)Math.Clamp(sum >> PrecisionBits, 0, 255);
                }
            }
        }

        return output;
    }

    private static double Filter(double x, Interpolation interpolation)
    {
        const double A = -0.5;
        x = Math.Abs(x);
        if (interpolation == Interpolation.Bilinear)
            return x < 1.0 ? 1.0 - x : 0.0;
        if (x < 1.0)
            return ((((A + 2.0) * x) - (A + 3.0)) * x * x) + 1;
        return x < 2.0 ? ((((x - 5) * x) + 8) * x - 4) * A : 0.0;
    }
}
