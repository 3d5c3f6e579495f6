using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Serve.Core.Errors;
using Serve.Core.Protocol;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>How a body is compressed.</summary>
internal enum ContentCoding
{
    Identity,
    Gzip,
    Deflate,
}

/// <summary>Compressed bodies, in requests and in answers.</summary>
internal static class ContentCodings
{
    /// <summary>What requests may come in; a client is told when it sends something else.</summary>
    public const string Accepted = "gzip, deflate";

    private const int PieceBytes = 64 << 10;

    /// <summary>What a request came in.</summary>
    /// <exception cref="ServeException">501: not known here; the answer says what is.</exception>
    public static ContentCoding OfRequest(HttpContext context)
    {
        var values = context.Request.Headers.ContentEncoding;
        if (values.Count == 0) return ContentCoding.Identity;
        if (values is [{ } text])
        {
            if (text.Length == 0 || text.Equals("identity", StringComparison.OrdinalIgnoreCase)) return ContentCoding.Identity;
            if (text.Equals("gzip", StringComparison.OrdinalIgnoreCase)) return ContentCoding.Gzip;
            if (text.Equals("deflate", StringComparison.OrdinalIgnoreCase)) return ContentCoding.Deflate;
        }

        context.Response.Headers.AcceptEncoding = Accepted;
        throw new ServeException(StatusCodes.Status501NotImplemented, "UnsupportedException", "Unsupported compression type");
    }

    /// <summary>What a client likes best: the highest weight counts, among equals the one that it names first (RFC 9110, section 12.5.3).</summary>
    /// <param name="accepted">Its Accept-Encoding; none: nothing is compressed.</param>
    public static ContentCoding ForAnswer(StringValues accepted)
    {
        var (best, weight) = (ContentCoding.Identity, 0.0);
        foreach (var line in accepted)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var item = line.AsSpan()[range];
                var semicolon = item.IndexOf(';');
                var name = (semicolon < 0 ? item : item[..semicolon]).Trim();
                if (CodingOf(name) is { } coding && WeightOf(semicolon < 0 ? default : item[(semicolon + 1)..]) is var own && own > weight) (best, weight) = (coding, own);
            }
        }

        return best;
    }

    /// <summary>The name of a coding in Content-Encoding.</summary>
    public static string NameOf(ContentCoding coding) => coding == ContentCoding.Gzip ? "gzip" : "deflate";

    /// <summary>Unpacks a body.</summary>
    /// <param name="packed">It stays the caller's.</param>
    /// <param name="coding">How it is packed.</param>
    /// <param name="mostBytes">The most that it may have unpacked; it is not unpacked further.</param>
    /// <exception cref="BadRequestException">It is damaged.</exception>
    /// <exception cref="PayloadTooLargeException">It is larger.</exception>
    public static RequestPayload Decompress(RequestPayload packed, ContentCoding coding, long mostBytes)
    {
        MemoryMarshal.TryGetArray(packed.Body, out var bytes);
        using var source = new MemoryStream(bytes.Array ?? [], bytes.Offset, bytes.Count, writable: false);
        using Stream unpacking = coding == ContentCoding.Gzip ? new GZipStream(source, CompressionMode.Decompress) : IsZlib(packed.Body.Span) ? new ZLibStream(source, CompressionMode.Decompress) : new DeflateStream(source, CompressionMode.Decompress);
        var unpacked = RequestPayload.Rent(Math.Min(packed.Body.Length, 1 << 20));
        try
        {
            while (unpacking.Read(unpacked.GetSpan(PieceBytes)[..PieceBytes]) is > 0 and var count)
            {
                unpacked.Advance(count);
                if (unpacked.Body.Length > mostBytes) throw new PayloadTooLargeException(mostBytes);
            }

            return unpacked;
        }
        catch (Exception e)
        {
            unpacked.Release();
            if (e is InvalidDataException) throw new BadRequestException($"The body is not {NameOf(coding)}: {e.Message}", e);
            throw;
        }
    }

    /// <summary>A stream that packs what is written to it.</summary>
    /// <param name="target">Where it is packed to; it stays open.</param>
    /// <param name="coding">How.</param>
    public static Stream Compress(Stream target, ContentCoding coding) => coding == ContentCoding.Gzip
        ? new GZipStream(target, CompressionLevel.Optimal, leaveOpen: true)
        : new ZLibStream(target, CompressionLevel.Optimal, leaveOpen: true);

    // "deflate" is the format of zlib (RFC 9110, section 8.4.1.2), but some send the bare one: RFC 1950, section 2.2 tells them apart.
    private static bool IsZlib(ReadOnlySpan<byte> bytes) => bytes.Length >= 2 && (bytes[0] & 0x0F) == 8 && ((bytes[0] << 8) | bytes[1]) % 31 == 0;

    private static ContentCoding? CodingOf(ReadOnlySpan<char> name)
    {
        if (name.Equals("gzip", StringComparison.OrdinalIgnoreCase)) return ContentCoding.Gzip;
        if (name.Equals("deflate", StringComparison.OrdinalIgnoreCase)) return ContentCoding.Deflate;
        return name.Equals("identity", StringComparison.OrdinalIgnoreCase) ? ContentCoding.Identity : null;
    }

    private static double WeightOf(ReadOnlySpan<char> parameter)
    {
        parameter = parameter.Trim();
        if (!parameter.StartsWith("q=", StringComparison.OrdinalIgnoreCase)) return 1;
        return double.TryParse(parameter[2..].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight) ? Math.Clamp(weight, 0, 1) : 0;
    }
}
