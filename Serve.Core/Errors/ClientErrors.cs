namespace Serve.Core.Errors;

/// <summary>400: the request itself is wrong; the same request will fail again.</summary>
/// <param name="message">What was wrong, the value, and what would be right.</param>
/// <param name="inner">The cause, for the log.</param>
public class BadRequestException(string message, Exception? inner = null)
    : ServeException(400, "BadRequestException", message, inner);

/// <summary>400: a model archive or folder is damaged, incomplete or not of a kind that can be served.</summary>
/// <param name="message">What was wrong, with file, line and key where there are such.</param>
/// <param name="inner">The cause, for the log.</param>
public class InvalidModelException(string message, Exception? inner = null)
    : ServeException(400, "InvalidModelException", message, inner);

/// <summary>400: an archive cannot be fetched from where its URL points.</summary>
/// <param name="message">Begins with TorchServe's text, <c>Failed to download archive from: URL</c>.</param>
public sealed class DownloadArchiveException(string message)
    : ServeException(400, "DownloadArchiveException", message);

/// <summary>401: no token, or one that is not valid here. TorchServe's type and text; its status is 400.</summary>
/// <param name="message">TorchServe's text.</param>
public sealed class InvalidKeyException(string message = "Token Authorization failed. Token either incorrect, expired, or not provided correctly")
    : ServeException(401, "InvalidKeyException", message);

/// <summary>403: TorchServe's answer to removing the default version while others exist.</summary>
/// <param name="message">What was refused.</param>
public sealed class InvalidModelVersionException(string message)
    : ServeException(403, "InvalidModelVersionException", message);

/// <summary>404: no such route or thing.</summary>
/// <param name="message">What was not found.</param>
public sealed class ResourceNotFoundException(string message = "Requested resource is not found, please refer to API document.")
    : ServeException(404, "ResourceNotFoundException", message);

/// <summary>404: no model of that name, or no archive at that place.</summary>
/// <param name="message">TorchServe's text, for example <c>Model not found: M</c>.</param>
public sealed class ModelNotFoundException(string message)
    : ServeException(404, "ModelNotFoundException", message);

/// <summary>404: the model exists, the version does not.</summary>
/// <param name="message">TorchServe's text, for example <c>Model version: V does not exist for model: M</c>.</param>
public sealed class ModelVersionNotFoundException(string message)
    : ServeException(404, "ModelVersionNotFoundException", message);

/// <summary>405: the route exists, the verb does not, or the API is switched off.</summary>
/// <param name="message">What is not allowed.</param>
public sealed class MethodNotAllowedException(string message = "Requested method is not allowed, please refer to API document.")
    : ServeException(405, "MethodNotAllowedException", message);

/// <summary>408: unregistering did not finish in time.</summary>
/// <param name="message">TorchServe's text, <c>Timed out while cleaning resources: M</c>.</param>
public sealed class RequestTimeoutException(string message)
    : ServeException(408, "RequestTimeoutException", message);

/// <summary>409: the version is registered already, or is being changed by another call.</summary>
/// <param name="message">TorchServe's text, <c>Model version V is already registered for model M</c>.</param>
public sealed class ConflictStatusException(string message)
    : ServeException(409, "ConflictStatusException", message);

/// <summary>413: the body is larger than the limit.</summary>
/// <param name="limitBytes">The limit, in bytes.</param>
/// <param name="key">The setting that it is; null: nobody can set it.</param>
public sealed class PayloadTooLargeException(long limitBytes, string? key = "maxRequestSize")
    : ServeException(413, "PayloadTooLargeException", $"The request body is larger than the limit of {limitBytes} bytes{(key is null ? "" : $" ({key})")}.");

/// <summary>499, never sent: the client left before its answer was ready. Counted apart from errors.</summary>
public sealed class ClientGoneException()
    : ServeException(499, "ClientGoneException", "The client closed the connection before its answer was ready.");
