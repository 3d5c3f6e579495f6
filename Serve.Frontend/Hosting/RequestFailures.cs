using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Core.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Hosting;

/// <summary>How an inference request over HTTP ends that has failed: its client is told, and the log what no client is to know.</summary>
/// <param name="shutdown">While the server stops, no client keeps its connection.</param>
/// <param name="log">For what nobody has foreseen.</param>
internal sealed partial class RequestFailures(Shutdown shutdown, ILogger log)
{
    /// <summary>Answers with an error.</summary>
    /// <param name="context">The request.</param>
    /// <param name="e">What was thrown.</param>
    /// <param name="trace">Its trace; null: it is not traced.</param>
    /// <returns>The status that counts: 499 if the client has left.</returns>
    public Task<int> AnswerAsync(HttpContext context, Exception e, RequestTrace? trace)
    {
        var error = ErrorResponse.From(e, context);
        using (LogTrace.Of(trace))
            if (error.Status == StatusCodes.Status500InternalServerError && e is not ServeException) LogUnexpected(e, context.Request.Method, context.Request.Path, CommonHeaders.IdOf(context));

        // Headers that are sent cannot be changed: of a stream that breaks off now.
        if (shutdown.IsDraining && !context.Response.HasStarted) context.Response.Headers.Connection = "close";
        return ErrorResponse.WriteAsync(context, error);
    }

    [LoggerMessage(20, LogLevel.Error, "{Method} {Path} failed unexpectedly, request {RequestId}")]
    private partial void LogUnexpected(Exception exception, string method, string path, string? requestId);
}
