using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Observability;

namespace Serve.Frontend.Logging;

/// <summary>
/// The server's logs: to standard output, or with <c>logging.folder</c> to TorchServe's three files, the server's own also
/// to standard output.
/// </summary>
internal sealed class ServerLogs : ILoggerProvider
{
    private const string LockFile = ".lock";

    private readonly LogLevelSwitch _level;
    private readonly TimeProvider _time;
    private readonly WallClock _clock;
    private readonly Route[] _access;
    private readonly Route[] _workers;
    private readonly Route[] _server;
    private readonly FileStream? _lock;

    /// <summary>Opens the logs.</summary>
    /// <param name="logging">How and where.</param>
    /// <param name="level">The lowest level.</param>
    /// <param name="time">The clock.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="colours">Whether it is a terminal that shows colours.</param>
    /// <exception cref="IOException">The folder cannot be made, or another server writes its logs there.</exception>
    public ServerLogs(LoggingConfiguration logging, LogLevelSwitch level, TimeProvider time, TextWriter output, bool colours)
    {
        (_level, _time, _clock) = (level, time, new WallClock(time));
        if (logging.Folder is not null) _lock = Lock(logging.Folder);
        var isJson = logging.Format == "json";
        ILineFormat lines = isJson ? new JsonLines() : new TextLines(colours: false);
        ILineFormat access = isJson || logging.AccessFormat != "torchserve" ? lines : new TorchServeAccessLines();
        var console = Open(new ConsoleOutput(output), "console", isJson ? lines : new TextLines(colours));
        if (logging.Folder is not { } folder)
        {
            _server = _workers = [console];
            _access = [access == lines ? console : console with { Format = access }];
            return;
        }

        _access = [Open(InFolder("access_log"), "access", access)];
        _workers = [Open(InFolder("model_log"), "model", lines)];
        _server = [console, Open(InFolder("ts_log"), "server", lines)];

        RollingFile InFolder(string name) => new(folder, name, logging.FileSize, logging.Files, time, text => console.Add(Warning(text)));
    }

    /// <inheritdoc/>
    /// <remarks>A class's name loses its namespace; a model version (<c>fashion-vit/1.0</c>) stays whole.</remarks>
    public ILogger CreateLogger(string categoryName) =>
        new Logger(this, categoryName.Contains('/', StringComparison.Ordinal) ? categoryName : categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    /// <summary>Writes what is waiting, then ends.</summary>
    public void Dispose()
    {
        // The console last: the files tell there what becomes of them.
        foreach (var queue in _access.Concat(_workers).Concat(_server.AsEnumerable().Reverse()).Select(log => log.Queue).Distinct().ToList()) queue.Dispose();
        _lock?.Dispose();
    }

    private Route Open(ILineOutput output, string name, ILineFormat format) => new(format, new LineQueue(output, name, (text, line) => format.Format(Warning(text), line)));

    private LogEntry Warning(string text) => new(_time.GetUtcNow(), LogLevel.Warning, "log", text);

    // Two servers would write over each other's lines.
    private static FileStream Lock(string folder)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
        try
        {
            return new FileStream(Path.Combine(folder, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new IOException($"logging.folder: {folder} cannot be used; another server may write its logs there: {e.Message}", e);
        }
    }

    private void Write(string category, LogLevel level, EventId id, string message, Exception? exception, IReadOnlyList<KeyValuePair<string, object?>>? fields)
    {
        var entry = new LogEntry(_time.GetUtcNow(), level, category, message, exception, fields, LogTrace.Current);
        foreach (var log in id.Name switch { LogEventNames.Access => _access, LogEventNames.WorkerOutput => _workers, _ => _server }) log.Add(entry);
    }

    private void Write(string category, in AccessLine access)
    {
        var at = _clock.TimeOf(access.Ended);
        foreach (var log in _access)
        {
            var line = LineBuffer.OfThread();
            log.Format.Format(access, at, category, LogTrace.Current, line);
            log.Queue.Add(line.Text);
        }
    }

    private sealed record Route(ILineFormat Format, LineQueue Queue)
    {
        public void Add(in LogEntry entry)
        {
            var line = LineBuffer.OfThread();
            Format.Format(entry, line);
            Queue.Add(line.Text);
        }
    }

    private sealed class Logger(ServerLogs logs, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && logLevel >= logs._level.Minimum;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            if (typeof(TState) == typeof(AccessLine)) logs.Write(category, (AccessLine)(object)state!);
            else logs.Write(category, logLevel, eventId, formatter(state, exception), exception, state as IReadOnlyList<KeyValuePair<string, object?>>);
        }
    }
}
