using System.Text;

namespace Serve.Frontend.Logging;

/// <summary>Standard output. When it is closed nobody reads the log, and the server serves on.</summary>
internal sealed class ConsoleOutput(TextWriter writer) : ILineOutput
{
    private readonly StringBuilder _lines = new();
    private int _count;

    /// <inheritdoc/>
    public bool IsClosed { get; private set; }

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<char> line)
    {
        _lines.Append(line).Append(writer.NewLine);
        _count++;
    }

    /// <inheritdoc/>
    public int Flush()
    {
        var count = _count;
        try
        {
            foreach (var chunk in _lines.GetChunks()) writer.Write(chunk.Span);
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
            _count = 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
