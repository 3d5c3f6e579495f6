using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Logging;

/// <summary>One event.</summary>
/// <param name="At">When.</param>
/// <param name="Level">How serious.</param>
/// <param name="Category">Who tells it: a class without its namespace, or a model's version (<c>fashion-vit/1.0</c>).</param>
/// <param name="Message">For people.</param>
/// <param name="Exception">What was thrown, or null.</param>
/// <param name="Fields">The message's values by their names, or null.</param>
/// <param name="TraceId">The trace that it belongs to, or null.</param>
internal readonly record struct LogEntry(
    DateTimeOffset At, LogLevel Level, string Category, string Message, Exception? Exception = null, IReadOnlyList<KeyValuePair<string, object?>>? Fields = null, string? TraceId = null);
