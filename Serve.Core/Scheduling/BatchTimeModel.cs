namespace Serve.Core.Scheduling;

/// <summary>
/// How long a batch takes by its number of rows: a straight line through what was measured lately (least squares, older
/// samples fade). Good enough to tell which worker will be free first.
/// </summary>
internal sealed class BatchTimeModel
{
    /// <summary>What a sample still counts for when the next one comes: about fifty of them matter.</summary>
    private const double Fading = 0.98;

    private double _weight;
    private double _rows;
    private double _rowsSquared;
    private double _ticks;
    private double _rowsTicks;

    /// <summary>The mean of late; 0: nothing was measured.</summary>
    public long Mean => _weight == 0 ? 0 : (long)(_ticks / _weight);

    public void Learn(int rows, long ticks)
    {
        _weight = _weight * Fading + 1;
        _rows = _rows * Fading + rows;
        _rowsSquared = _rowsSquared * Fading + (double)rows * rows;
        _ticks = _ticks * Fading + ticks;
        _rowsTicks = _rowsTicks * Fading + (double)rows * ticks;
    }

    /// <summary>What a batch of so many rows will take; 0: nothing was measured.</summary>
    public long Predict(int rows)
    {
        if (_weight == 0) return 0;

        var meanRows = _rows / _weight;
        var variance = _rowsSquared / _weight - meanRows * meanRows;
        var covariance = _rowsTicks / _weight - meanRows * (_ticks / _weight);
        var slope = variance > 0.01 ? Math.Max(0, covariance / variance) : 0;
        return (long)Math.Max(0, _ticks / _weight + slope * (rows - meanRows));
    }
}
