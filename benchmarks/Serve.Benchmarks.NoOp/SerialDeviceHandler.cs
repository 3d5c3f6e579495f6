using System.Buffers;
using System.Globalization;
using Serve.Core.Handlers;

namespace Serve.Benchmarks.NoOp;

/// <summary>
/// A device that takes one batch at a time, whoever sends it: a batch takes <c>batchMilliseconds</c> (10) and
/// <c>rowMilliseconds</c> (0.2) for each row. Its best setting is known: the largest batch, and one worker with one instance,
/// since more of them only wait for each other. <c>device</c>, a name, is shared by all processes that use it.
/// </summary>
public sealed class SerialDeviceHandler : IBatchHandler
{
    private Mutex? _device;
    private double _batchMilliseconds;
    private double _rowMilliseconds;

    /// <inheritdoc/>
    public void Load(HandlerContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var options = context.Configuration.HandlerOptions;
        double Number(string name, double otherwise) => options.TryGetValue(name, out var text) ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;
        (_batchMilliseconds, _rowMilliseconds) = (Number("batchMilliseconds", 10), Number("rowMilliseconds", 0.2));
        _device = new Mutex(initiallyOwned: false, $"serve-device-{options.GetValueOrDefault("device", "0")}");
    }

    /// <inheritdoc/>
    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(batch);
        try
        {
            _device!.WaitOne();
        }
        catch (AbandonedMutexException)
        {
            // Another worker was killed while it executed; the device is free.
        }

        try
        {
            Thread.Sleep(TimeSpan.FromMilliseconds(_batchMilliseconds + (_rowMilliseconds * batch.Count)));
        }
        finally
        {
            _device!.ReleaseMutex();
        }

        foreach (var call in batch)
        {
            call.Response.ContentType = NoOpHandler.AnswerType;
            call.Response.Body.Write(NoOpHandler.Answer);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _device?.Dispose();
}
