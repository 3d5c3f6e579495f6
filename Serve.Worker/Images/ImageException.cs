using Serve.Core.Errors;

namespace Serve.Worker.Images;

/// <summary>
/// A picture that a client sent was refused: unknown, broken, cut off, too large or too slow to decode.
/// The message says what is wrong and where. A client's fault always: 400.
/// </summary>
public sealed class ImageException : BadRequestException
{
    /// <summary>Refuses a picture as a whole.</summary>
    /// <param name="message">What is wrong, for people.</param>
    /// <param name="cause">The decoder's own exception, when there was one.</param>
    public ImageException(string message, Exception? cause = null)
        : base(message, cause)
    {
    }

    /// <summary>Refuses a picture because of what stands at one place.</summary>
    /// <param name="message">What is wrong, for people; it names the place too.</param>
    /// <param name="byteOffset">Where in the encoded bytes, counted from 0.</param>
    public ImageException(string message, long byteOffset)
        : base(message) => ByteOffset = byteOffset;

    /// <summary>Where in the encoded bytes it was found, counted from 0; null when it has no place.</summary>
    public long? ByteOffset { get; }
}
