namespace Serve.Worker.Images.Resampling;

/// <summary>
/// One axis of resize, centre crop and padding: <paramref name="InputSize"/> pixels become <paramref name="ResizedSize"/>,
/// of which <paramref name="Count"/> from <paramref name="First"/> on are kept, after <paramref name="PaddingBefore"/> zeros
/// and before as many as fill <paramref name="OutputSize"/>. The rounding is torchvision's.
/// </summary>
internal readonly record struct AxisGeometry(int InputSize, int ResizedSize, int First, int Count, int PaddingBefore, int OutputSize)
{
    /// <summary>The geometry of an axis that is resized and then cropped to <paramref name="cropSize"/>; null keeps all of it.</summary>
    public static AxisGeometry Create(int inputSize, int resizedSize, int? cropSize)
    {
        if (cropSize is not { } crop)
            return new AxisGeometry(inputSize, resizedSize, 0, resizedSize, 0, resizedSize);
        if (crop > resizedSize)
            return new AxisGeometry(inputSize, resizedSize, 0, resizedSize, (crop - resizedSize) / 2, crop);

        // Python's round: halves go to the even neighbour.
        var first = (int)Math.Round((resizedSize - crop) / 2.0, MidpointRounding.ToEven);
        return new AxisGeometry(inputSize, resizedSize, first, crop, 0, crop);
    }

    /// <summary>Width and height after torchvision's <c>Resize(shorterSide)</c>: the longer side is cut to a whole number, not rounded.</summary>
    public static (int Width, int Height) ResizeShorterSide(int width, int height, int shorterSide)
    {
        var (shorter, longer) = width <= height ? (width, height) : (height, width);
        var resizedLonger = checked((int)((long)shorterSide * longer / shorter));
        return width <= height ? (shorterSide, resizedLonger) : (resizedLonger, shorterSide);
    }
}
