using Serve.Core.Errors;

namespace Serve.Core.Models;

/// <summary>Reads files of models that are small by nature, and refuses those that are not.</summary>
internal static class SmallFile
{
    /// <exception cref="InvalidModelException">The file cannot be read or is larger than <paramref name="maxBytes"/>.</exception>
    public static byte[] Read(string path, int maxBytes)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > maxBytes) throw new InvalidModelException($"{path} has {file.Length} bytes; at most {maxBytes} are allowed.");

            var bytes = new byte[file.Length];
            return bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidModelException($"{path} cannot be read: {error.Message}", error);
        }
    }
}
