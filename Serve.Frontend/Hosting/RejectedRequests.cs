using System.Buffers;
using System.Diagnostics;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Serve.Core.Errors;
using Serve.Management.Http;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Gives requests that Kestrel refuses before any of our code sees them (malformed HTTP, lines and headers that are too
/// long) the body that all errors have. Kestrel tells of them by a diagnostic event just before it would answer without one.
/// </summary>
/// <remarks>
/// The source is one of our own, so that nobody listens to the host's: a listener there would cost something for every
/// request.
/// </remarks>
internal sealed class RejectedRequests : IObserver<KeyValuePair<string, object?>>, IDisposable
{
    private const string Rejected = "Microsoft.AspNetCore.Server.Kestrel.BadRequest";

    private readonly DiagnosticListener _source = new("Serve.Kestrel");
    private readonly IDisposable _subscription;

    public RejectedRequests() => _subscription = _source.Subscribe(this, static name => name == Rejected);

    /// <summary>For Kestrel, in the place of the host's.</summary>
    public DiagnosticSource Source => _source;

    /// <inheritdoc/>
    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value is not { Key: Rejected, Value: IFeatureCollection features }) return;
        if (features.Get<IBadRequestExceptionFeature>()?.Error is not BadHttpRequestException why) return;
        if (features.Get<Listener>() is not { IsHttp1: true } listener) return;
        if (features.Get<IHttpResponseFeature>() is not { HasStarted: false } response || features.Get<IHttpResponseBodyFeature>() is not { } body) return;
        if (features.Get<IConnectionTransportFeature>()?.Transport.Output is not { } connection) return;

        listener.Metrics.Answered(why.StatusCode);
        var document = PrettyJson.Encode(new ErrorBody(why.StatusCode, TypeOf(why.StatusCode), why.Message), HttpJson.Default.ErrorBody);
        response.StatusCode = why.StatusCode;
        response.ReasonPhrase = null;
        response.Headers.ContentType = "application/json";
        response.Headers.ContentLength = document.Length;
        response.Headers.Connection = "close";

        // Kestrel resets an answer that has not begun; it has no body yet to write into, so the bytes go to the connection,
        // right behind the head that it puts there. Nothing waits: what does not fit now is for a client that does not read,
        // and the connection is closed in any case.
        if (!body.StartAsync().IsCompletedSuccessfully) return;
        connection.Write(document.Span);
        _ = connection.FlushAsync().AsTask();
    }

    /// <inheritdoc/>
    public void OnError(Exception error)
    {
    }

    /// <inheritdoc/>
    public void OnCompleted()
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _subscription.Dispose();
        _source.Dispose();
    }

    private static string TypeOf(int status) => status switch
    {
        StatusCodes.Status405MethodNotAllowed => new MethodNotAllowedException().Type,
        StatusCodes.Status408RequestTimeout => new RequestTimeoutException("").Type,
        _ => new BadRequestException("").Type,
    };
}
