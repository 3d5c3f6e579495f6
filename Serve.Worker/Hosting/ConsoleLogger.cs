using System.Text;
using Microsoft.Extensions.Logging;

namespace Serve.Worker.Hosting;

/// <summary>Writes the worker's log to standard error, from where the frontend takes it line by line into its own.</summary>
internal sealed class ConsoleLogger(LogLevel minimum) : ILogger
{
    private readonly Lock _gate = new();

    public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum && logLevel != LogLevel.None;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel)) return;
        var text = new StringBuilder(formatter(state, exception));
        if (exception is not null) text.Append('\n').Append(exception);

        // The frontend knows a line's level by its first word, so each has it: a stack trace is as serious as its error.
        text.Replace("\r", "").Replace("\n", $"\n{Name(logLevel)}: ");
        lock (_gate) Console.Error.WriteLine($"{Name(logLevel)}: {text}");
    }

    private static string Name(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}
