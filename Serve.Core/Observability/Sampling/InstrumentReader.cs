namespace Serve.Core.Observability.Sampling;

/// <summary>
/// Reads the instruments of model versions for rates between two moments. A reading writes out a scrape, a millisecond or so
/// of processor time for each ten versions: for whoever watches, not for requests. One reading at a time.
/// </summary>
public sealed class InstrumentReader
{
    private readonly MemoryStream _scrape = new();

    /// <summary>What each version's instruments have counted.</summary>
    /// <param name="versions">The versions' instruments.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <returns>By the instruments: a version that was registered anew has others.</returns>
    public async Task<IReadOnlyDictionary<ModelMetrics, VersionReading>> ReadAsync(IReadOnlyCollection<ModelMetrics> versions, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(versions);
        _scrape.SetLength(0);
        await ServeMetrics.Registry.CollectAndExportAsTextAsync(_scrape, cancellation).ConfigureAwait(false);
        var text = _scrape.GetBuffer().AsSpan(0, (int)_scrape.Length);
        var durations = HistogramText.Read(text, ServeMetrics.RequestDuration.Name);
        var batches = HistogramText.Read(text, ServeMetrics.BatchSize.Name);
        return versions.Distinct().ToDictionary(
            static version => version,
            version => version.Read() with { Durations = Of(durations, version), Batches = Of(batches, version) });

        static HistogramCounts Of(Dictionary<(string, string), HistogramCounts> all, ModelMetrics version) =>
            all.TryGetValue((version.Model, version.Version), out var counts) ? counts : HistogramCounts.Empty;
    }
}
