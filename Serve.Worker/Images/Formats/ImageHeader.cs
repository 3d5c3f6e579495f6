namespace Serve.Worker.Images.Formats;

/// <summary>What is known of a picture before any decoder sees it.</summary>
internal readonly record struct ImageHeader(ImageFormats Format, int Width, int Height);
