using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Serve.Management.Http.OpenApi;

namespace Serve.Management.Console;

/// <summary>
/// The web console's page: files without anything secret, which need no token (<see cref="IsPage"/>). What the page asks of
/// the management API, it asks with the token that its user gives it.
/// </summary>
public static class ConsoleRoutes
{
    private const string Root = "/console";
    private const string Page = "index.html";

    // The page loads nothing from elsewhere, runs no script but its own file, cannot be framed, and sends no form.
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; form-action 'none'; "
        + "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    /// <summary>Maps <c>/console</c>, which leads to <c>/console/</c>, and the page's files below it.</summary>
    public static void MapConsole(this IEndpointRouteBuilder routes)
    {
        var files = ConsoleFile.LoadAll();
        routes.MapGet(Root, Enter).WithTags("Console").WithSummary("The web console")
            .Describes(new ApiOperation("console") { Answers = [Answer(files[Page]), new ApiAnswer(StatusCodes.Status307TemporaryRedirect, "The page is at /console/.")] });
        foreach (var file in files.Values)
        {
            routes.MapGet($"{Root}/{file.Name}", context => SendAsync(context, file)).WithTags("Console").WithSummary("A file of the web console")
                .Describes(new ApiOperation($"console_{file.Name.Replace('.', '_')}") { Answers = [Answer(file), new ApiAnswer(StatusCodes.Status304NotModified, "The client has it.")] });
        }

        // Routing takes /console and /console/ for the same; the page's addresses are relative to the latter. The address
        // that it leads to is relative too: a proxy may have the console elsewhere.
        Task Enter(HttpContext context)
        {
            if (context.Request.Path.Value!.EndsWith('/')) return SendAsync(context, files[Page]);
            context.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
            context.Response.Headers.Location = "console/";
            return Task.CompletedTask;
        }

        static ApiAnswer Answer(ConsoleFile file) =>
            new(StatusCodes.Status200OK, "The file.", new ApiContent(file.ContentType.Split(';')[0], file.ContentType.StartsWith("text/", StringComparison.Ordinal) ? ApiShape.Text : ApiShape.Binary));
    }

    /// <summary>Whether a request is for the page, which has to be there before a token can be typed into it. The API below <c>/console/</c> is not.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="verb">Its verb, in capitals.</param>
    public static bool IsPage(string? path, string verb) =>
        path is not null && HttpMethods.IsGet(verb) && path.StartsWith(Root, StringComparison.Ordinal)
        && (path.Length == Root.Length || (path[Root.Length] == '/' && path.IndexOf('/', Root.Length + 1) < 0));

    private static async Task SendAsync(HttpContext context, ConsoleFile file)
    {
        var (request, response) = (context.Request, context.Response);
        var takesBrotli = TakesBrotli(request.Headers.AcceptEncoding);
        var tag = takesBrotli ? file.BrotliETag : file.ETag;
        var headers = response.Headers;

        // Kept, and asked for anew each time, which is answered 304: after an update nobody sees the old page.
        headers.CacheControl = "no-cache";
        headers.Remove(HeaderNames.Pragma);
        headers.Remove(HeaderNames.Expires);
        headers.ETag = tag;
        headers.Vary = HeaderNames.AcceptEncoding;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        if (Knows(request.Headers.IfNoneMatch, tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        var content = takesBrotli ? file.Brotli : file.Content;
        if (takesBrotli) headers.ContentEncoding = "br";
        response.ContentType = file.ContentType;
        response.ContentLength = content.Length;
        await response.BodyWriter.WriteAsync(content, context.RequestAborted);
    }

    private static bool TakesBrotli(StringValues accepted) =>
        StringWithQualityHeaderValue.TryParseList(accepted, out var encodings) && encodings.Any(encoding => encoding is { Value.Value: "br", Quality: null or > 0 });

    private static bool Knows(StringValues tags, string tag) =>
        EntityTagHeaderValue.TryParseList(tags, out var known) && known.Any(one => one.Tag == "*" || one.Tag == tag);
}
