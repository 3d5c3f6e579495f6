namespace Serve.LoadGenerator.Http;

/// <summary>What a server sent is not an HTTP/1.1 response; the message says what is wrong with it.</summary>
public sealed class MalformedResponseException(string message) : IOException(message);
