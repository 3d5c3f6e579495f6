namespace Serve.Frontend.Logging;

/// <summary>Where lines end. One thread uses it.</summary>
internal interface ILineOutput : IDisposable
{
    /// <summary>Whether it can take no more lines, ever.</summary>
    bool IsClosed { get; }

    /// <summary>Takes a line; it may stay in memory until <see cref="Flush"/>.</summary>
    void Write(ReadOnlySpan<char> line);

    /// <summary>Hands over what was taken.</summary>
    /// <returns>How many lines were lost.</returns>
    int Flush();
}
