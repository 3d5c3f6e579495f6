namespace Serve.Worker.Images.Decoding.Png;

/// <summary>How inflating ended.</summary>
internal enum InflateStatus
{
    /// <summary>The data is whole and fills the output exactly.</summary>
    Done,

    /// <summary>The compressed data ends before it says that it does.</summary>
    EndsEarly,

    /// <summary>The data is whole, but gives too few bytes.</summary>
    TooShort,

    /// <summary>The data gives more bytes than there should be.</summary>
    TooLong,

    /// <summary>More compressed bytes follow after the end of the data.</summary>
    TrailingBytes,

    BadHeader,
    BadBlockType,
    BadStoredLength,
    BadCode,
    BadSymbol,
    BadDistance,
    BadChecksum,
}

/// <summary>How inflating ended and where.</summary>
/// <param name="Status">How.</param>
/// <param name="InputOffset">Bytes of compressed data before the place.</param>
/// <param name="OutputBytes">Bytes that were written.</param>
internal readonly record struct InflateResult(InflateStatus Status, long InputOffset, long OutputBytes);
