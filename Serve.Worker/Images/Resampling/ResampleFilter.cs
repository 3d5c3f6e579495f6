namespace Serve.Worker.Images.Resampling;

/// <summary>How pixels between pixels are computed.</summary>
internal enum ResampleFilter
{
    Bilinear,
    Bicubic,
}
