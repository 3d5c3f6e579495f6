namespace Serve.Frontend.Logging;

/// <summary>Standard output. When it is closed nobody reads the log, and the server serves on.</summary>
internal sealed class ConsoleOutput(TextWriter writer) : ILineOutput
{
    private readonly List<string> _lines = [];

    /// <inheritdoc/>
    public bool IsClosed { get; private set; }

    /// <inheritdoc/>
    public void Write(string line) => _lines.Add(line);

    /// <inheritdoc/>
    public int Flush()
    {
        var count = _lines.Count;
        try
        {
            foreach (var line in _lines) writer.WriteLine(line);
            writer.Flush();
            return 0;
        }
        catch (IOException)
        {
            IsClosed = true;
            return count;
        }
        finally
        {
            _lines.Clear();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
