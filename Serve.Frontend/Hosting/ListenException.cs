namespace Serve.Frontend.Hosting;

/// <summary>A listener's address is wrong, taken or not ours to use; the message names key and address and is all that a user needs.</summary>
internal sealed class ListenException(string message, Exception? inner = null) : Exception(message, inner);
