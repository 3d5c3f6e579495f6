using System.Security.Cryptography;
using Serve.Core.Errors;

namespace Serve.Core.Models.Sources;

/// <summary>SHA-256 sums as clients write them: 64 hexadecimal digits.</summary>
internal static class Sha256Text
{
    /// <summary>Reads a sum.</summary>
    /// <exception cref="BadRequestException">It is none.</exception>
    public static byte[] Parse(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigit)
        ? Convert.FromHexString(text)
        : throw new BadRequestException($"Parameter sha256 must be 64 hexadecimal digits, not \"{text}\".");

    /// <summary>Checks a file of the store.</summary>
    /// <exception cref="InvalidModelException">It has another sum.</exception>
    public static void CheckFile(string path, byte[] expected, string url)
    {
        using var file = File.OpenRead(path);
        Check(SHA256.HashData(file), expected, url);
    }

    /// <summary>Compares two sums.</summary>
    /// <exception cref="InvalidModelException">They differ.</exception>
    public static void Check(byte[] actual, byte[] expected, string url)
    {
        if (actual.AsSpan().SequenceEqual(expected)) return;
        throw new InvalidModelException($"{AllowedUrls.Shown(url)} is not the file that was meant: its SHA-256 is {Convert.ToHexStringLower(actual)}, and should be {Convert.ToHexStringLower(expected)}.");
    }
}
