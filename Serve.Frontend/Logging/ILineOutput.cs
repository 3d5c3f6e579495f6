namespace Serve.Frontend.Logging;

/// <summary>Where lines end. One thread uses it.</summary>
internal interface ILineOutput : IDisposable
{
    /// <summary>Whether it can take no more lines, ever.</summary>
    bool IsClosed { get; }

    /// <summary>Writes lines.</summary>
    /// <param name="lines">UTF-8, each with its <c>\n</c>.</param>
    /// <returns>How many of them were lost.</returns>
    int Write(ReadOnlySpan<byte> lines);
}
