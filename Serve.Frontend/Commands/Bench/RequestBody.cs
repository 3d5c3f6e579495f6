namespace Serve.Frontend.Commands.Bench;

/// <summary>What is sent to a model.</summary>
/// <param name="ContentType">Its media type.</param>
/// <param name="Bytes">The body.</param>
internal sealed record RequestBody(string ContentType, byte[] Bytes);
