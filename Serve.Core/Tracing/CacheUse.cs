namespace Serve.Core.Tracing;

/// <summary>What the response cache did for a request.</summary>
/// <param name="Outcome"><c>hit</c>, <c>joined</c> or <c>miss</c>.</param>
/// <param name="Began">When it was asked, as a timestamp.</param>
/// <param name="Ended">When it had an answer, or knew that it has none.</param>
internal sealed record CacheUse(string Outcome, long Began, long Ended);
