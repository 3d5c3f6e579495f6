using Serve.Core.Errors;

namespace Serve.Core.Models.Sources;

/// <summary>Fetches archives from other machines. The core speaks no HTTP: the management library has one that does, tests have their own.</summary>
public interface IArchiveFetcher
{
    /// <summary>Writes what lies at a URL.</summary>
    /// <param name="url">An <c>http</c> or <c>https</c> URL that is allowed.</param>
    /// <param name="target">Where it goes; what was written of a fetch that fails is to be thrown away.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="ServeException">It cannot be fetched, is too large, takes too long, or leads to where nothing may be fetched from.</exception>
    Task FetchAsync(Uri url, Stream target, CancellationToken cancellation);
}
