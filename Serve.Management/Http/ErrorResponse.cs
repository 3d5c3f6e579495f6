using System.Globalization;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;

namespace Serve.Management.Http;

/// <summary>The one place where an exception becomes an HTTP answer.</summary>
public static class ErrorResponse
{
    // Kestrel's own text, the only thing that tells this 400 from others; the request's token is cancelled a moment later.
    private const string BodyEndedEarly = "Unexpected end of request content";

    /// <summary>What a client is told about an exception. What is not meant for clients becomes a 500 without details.</summary>
    public static ServeException From(Exception exception, HttpContext context) => exception switch
    {
        ServeException known => known,
        OperationCanceledException or ConnectionResetException or ConnectionAbortedException
            when context.RequestAborted.IsCancellationRequested => new ClientGoneException(),
        BadHttpRequestException { StatusCode: StatusCodes.Status408RequestTimeout } => new RequestTimeoutException("The request's body arrived too slowly."),
        BadHttpRequestException left when context.RequestAborted.IsCancellationRequested || left.Message.StartsWith(BodyEndedEarly, StringComparison.Ordinal) => new ClientGoneException(),
        BadHttpRequestException bad => new ServeException(bad.StatusCode, "BadRequestException", bad.Message, bad),
        ConnectionResetException => new ClientGoneException(),
        _ => new InternalServerException("Unexpected error in the server; its log has the details.", exception),
    };

    /// <summary>Answers with an error, unless the answer has begun or nobody is there to read it.</summary>
    /// <returns>The status that counts: 499 if the client has left.</returns>
    public static async Task<int> WriteAsync(HttpContext context, ServeException error)
    {
        if (error is ClientGoneException || context.RequestAborted.IsCancellationRequested)
        {
            context.Abort();
            return 499;
        }

        if (context.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            context.Abort();
            return error.Status;
        }

        var isOpenInference = OpenInferenceError.IsFor(context.Request.Path);
        if (isOpenInference) error = OpenInferenceError.OfRest(error);
        if (error.RetryAfter is { } wait)
        {
            var seconds = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds));
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (error.Status == StatusCodes.Status401Unauthorized) context.Response.Headers.WWWAuthenticate = "Bearer";

        // A client that asked before it sends will not send now (RFC 9110, section 10.1.1): what it sends next must not be
        // taken for the body. And one that sends too much should not be read for ever.
        if (error.Status == StatusCodes.Status413PayloadTooLarge || context.Request.Headers.Expect.Count > 0) context.Response.Headers.Connection = "close";
        var document = isOpenInference ? OpenInferenceError.Body(error) : PrettyJson.Encode(new ErrorBody(error.Status, error.Type, error.Message), HttpJson.Default.ErrorBody);
        try
        {
            await PrettyJson.WriteAsync(context, error.Status, document);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return 499;
        }

        return error.Status;
    }
}
