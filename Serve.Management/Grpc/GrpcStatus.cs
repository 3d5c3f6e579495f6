using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Connections;
using Serve.Core.Errors;

namespace Serve.Management.Grpc;

/// <summary>The one place where an exception becomes a gRPC status.</summary>
internal static class GrpcStatus
{
    /// <summary>TorchServe's name of the error, in the trailers.</summary>
    public const string ErrorType = "serve-error-type";

    /// <summary>When it is worth trying again, in milliseconds; clients with a retry policy obey it (gRFC A6).</summary>
    public const string RetryPushback = "grpc-retry-pushback-ms";

    /// <summary>What a client is told whose message cannot be read.</summary>
    public const string NoMessage = "The request is not a valid message of this method.";

    /// <summary>What a client is told about an exception. What is not meant for clients becomes a 500 without details.</summary>
    /// <param name="exception">The exception.</param>
    /// <param name="call">The call that ends with it.</param>
    /// <param name="readsStream">Whether the call reads a stream of its client, which breaks off before the call is known to be cancelled.</param>
    public static ServeException From(Exception exception, ServerCallContext call, bool readsStream = false) => exception switch
    {
        // A stream's message that is none: an IOException as well, and the client is still there.
        InvalidProtocolBufferException when readsStream => new BadRequestException(NoMessage),
        IOException when readsStream => Left(call),
        ClientGoneException or OperationCanceledException or ConnectionResetException or ConnectionAbortedException or IOException when call.CancellationToken.IsCancellationRequested => Left(call),
        ServeException known => known,
        _ => new InternalServerException("Unexpected error in the server; its log has the details.", exception),
    };

    /// <summary>The error as a gRPC client gets it.</summary>
    public static RpcException ToRpc(ServeException error)
    {
        var trailers = new Metadata { { ErrorType, error.Type } };
        if (error.RetryAfter is { } wait) trailers.Add(RetryPushback, Math.Max(1, (long)wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture));
        return new RpcException(new Status(CodeOf(error.Status), error.Message), trailers);
    }

    /// <summary>
    /// The code that belongs to an HTTP status: TorchServe's table, but for 408 and for 409, whose only cause here is that a
    /// version exists already, and for 507, which is about resources.
    /// </summary>
    public static StatusCode CodeOf(int httpStatus) => httpStatus switch
    {
        < 400 => StatusCode.OK,
        400 => StatusCode.InvalidArgument,
        401 => StatusCode.Unauthenticated,
        403 or 405 => StatusCode.PermissionDenied,
        404 => StatusCode.NotFound,
        408 or 504 => StatusCode.DeadlineExceeded,
        409 => StatusCode.AlreadyExists,
        413 or 429 or 507 => StatusCode.ResourceExhausted,
        416 => StatusCode.OutOfRange,
        499 => StatusCode.Cancelled,
        501 => StatusCode.Unimplemented,
        503 => StatusCode.Unavailable,
        < 500 => StatusCode.FailedPrecondition,
        _ => StatusCode.Internal,
    };

    /// <summary>An HTTP status of the class that a code belongs to, for what counts classes.</summary>
    public static int HttpOf(StatusCode code) => code switch
    {
        StatusCode.OK => 200,
        StatusCode.Unknown or StatusCode.Internal or StatusCode.DataLoss or StatusCode.Unimplemented => 500,
        StatusCode.Unavailable => 503,
        StatusCode.DeadlineExceeded => 504,
        _ => 400,
    };

    // The deadline cancels as a client that leaves does.
    private static ServeException Left(ServerCallContext call) =>
        call.Deadline <= DateTime.UtcNow ? new ResponseTimeoutException("The call's deadline has passed.") : new ClientGoneException();
}
