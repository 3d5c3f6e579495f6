using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Serve.Management.Http;

/// <summary>Headers of every answer, as TorchServe sends them: nothing is cached, and each answer has an id.</summary>
public static class CommonHeaders
{
    public const string RequestId = "x-request-id";

    private const int LongestClientId = 128;

    private static readonly StringValues NoCache = "no-cache";
    private static readonly StringValues CacheControl = "no-cache; no-store, must-revalidate, private";
    private static readonly StringValues Expires = "Thu, 01 Jan 1970 00:00:00 UTC";

    /// <summary>Sets them. Hot path. A client's own request id comes back, so that its log and ours can be joined.</summary>
    public static void Apply(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.Pragma = NoCache;
        headers.CacheControl = CacheControl;
        headers.Expires = Expires;
        ApplyId(context);
    }

    /// <summary>Sets only the request's id. Hot path.</summary>
    public static void ApplyId(HttpContext context) =>
        context.Response.Headers[RequestId] = context.Request.Headers.TryGetValue(RequestId, out var own) && IsId(own) ? own : NewId();

    /// <summary>The request's id, as the answer has it.</summary>
    public static string? IdOf(HttpContext context) => context.Response.Headers[RequestId];

    private static bool IsId(StringValues values)
    {
        if (values is not [{ Length: > 0 and <= LongestClientId } id]) return false;
        foreach (var letter in id)
        {
            if (!char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_' or '.' or ':' or '/' or '+' or '=')) return false;
        }

        return true;
    }

    // A version 4 UUID without the system call of Guid.NewGuid: it only has to be different, not secret.
    private static string NewId()
    {
        Span<byte> bytes = stackalloc byte[16];
        Random.Shared.NextBytes(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }
}
