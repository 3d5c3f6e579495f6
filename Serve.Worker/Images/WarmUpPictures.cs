namespace Serve.Worker.Images;

/// <summary>Pictures of 48x32 pixels that take a decoder through its usual paths: a 4:2:0 baseline JPEG and a PNG with filters.</summary>
internal static class WarmUpPictures
{
    private const int Pixels = 48 * 32;

    private const string Jpeg =
        "/9j/4AAQSkZJRgABAQEAYABgAAD/2wCEAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSgB"
        + "BwcHCggKEwoKEygaFhooKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKP/AABEIACAAMAMBIgACEQEDEQH/xAGiAAAB"
        + "BQEBAQEBAQAAAAAAAAAAAQIDBAUGBwgJCgsQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYn"
        + "KCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV"
        + "1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+gEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoLEQACAQIEBAMEBwUEBAABAncAAQIDEQQFITEGEkFRB2FxEyIy"
        + "gQgUQpGhscEJIzNS8BVictEKFiQ04SXxFxgZGiYnKCkqNTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqCg4SFhoeIiYqSk5SVlpeYmZqi"
        + "o6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2dri4+Tl5ufo6ery8/T19vf4+fr/2gAMAwEAAhEDEQA/APm+Cw9q0INP9q3Lew6cVpW+n9OK8iWK"
        + "uZ4LMPMwoNP9q0INP9q3rfT+nFaVvp/TisJVLn1mCzDzMCDTvatCDTvauht9O6cVpW+ndOKwkrn1mCzHzOSt7DpxWnb6f04ratrDpxWpbaf04ry4Yq5/OGDz"
        + "DzMS30/pxWnb6f04rcttP6cVqW2n9OK64VLn1ODzDzMK307pxWnb6d04rettO6cVqW2ndOK7IK59Tg8x8z//2Q==";

    private const string Png =
        "iVBORw0KGgoAAAANSUhEUgAAADAAAAAgCAIAAADbtmxLAAAA7UlEQVR42s2U2w6EIAxEW2Cz///H+7CJUTsFqcPFNM10CDBRc4qIfHaqIl9xHl3i3wLpcn0O"
        + "pFehS/wjkG7S7T90rKkzjvVvn+y8vEbDNwQ3TPL/gXSfqnMIVhrqWw41N4/VHodgmoRGsm85BNPM63UOwWTJGTl+nUOKThmr6xyysexBZL/OoTS/YhyClSn+"
        + "cw41D+XoXg7BNBmNQf85h2Aafo9xCCbLztjnxziU0OkcHeOQjWUvCPoxDuVxxeUQrNLlv+dQ87I+zeIQTFPQ2PDfcwimiXcuh2Cy4ozY53Ioo1v7NJdDNpa9"
        + "uOH/AA7iCzFKezKEAAAAAElFTkSuQmCC";

    /// <summary>Those that the limits let pass. Other formats are rare: their first pictures pay for themselves.</summary>
    public static IEnumerable<byte[]> For(ImageLimits limits)
    {
        if (limits.MaxImagePixels < Pixels)
            yield break;
        if (limits.Formats.HasFlag(ImageFormats.Jpeg))
            yield return Convert.FromBase64String(Jpeg);
        if (limits.Formats.HasFlag(ImageFormats.Png))
            yield return Convert.FromBase64String(Png);
    }
}
