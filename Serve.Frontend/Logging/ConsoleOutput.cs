using System.Text;
using Serve.Core.Errors;

namespace Serve.Frontend.Logging;

/// <summary>Standard output. When it is closed nobody reads the log, and the server serves on.</summary>
internal sealed class ConsoleOutput(TextWriter writer) : ILineOutput
{
    /// <inheritdoc/>
    public bool IsClosed { get; private set; }

    /// <inheritdoc/>
    public int Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            writer.Write(Encoding.UTF8.GetString(lines));
            writer.Flush();
            return 0;
        }
        catch (IOException e) when (DiskSpace.IsExhausted(e))
        {
            // A file, on a disk that may have room again.
            return lines.Count((byte)'\n');
        }
        catch (IOException)
        {
            IsClosed = true;
            return lines.Count((byte)'\n');
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
