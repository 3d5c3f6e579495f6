namespace Serve.Worker.Images.Formats;

/// <summary>What is known of a picture before any decoder sees it. A JPEG may be written in several scans, each over all pixels.</summary>
internal readonly record struct ImageHeader(ImageFormats Format, int Width, int Height, int Scans = 1);
