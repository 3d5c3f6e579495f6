using System.Diagnostics;
using System.Globalization;
using Serve.Core.Handlers;
using Serve.Core.Handlers.Metrics;

namespace Serve.Tests.Handlers;

/// <summary>
/// Counts in metrics of its own: a body <c>KIND SECONDS</c> is an item of that kind that took so long. <c>die</c> ends the
/// process, <c>many N</c> counts N kinds. A <c>handlerOptions.metric</c> is declared as another counter.
/// </summary>
public sealed class MetricsHandler : TestHandler
{
    private HandlerCounter _items = null!;
    private HandlerGauge _last = null!;
    private HandlerHistogram _seconds = null!;

    public override void Load(HandlerContext context)
    {
        base.Load(context);
        _items = context.Metrics.Counter("test_items_total", "items", "kind");
        _last = context.Metrics.Gauge("test_last_seconds", "seconds");
        _seconds = context.Metrics.Histogram("test_item_seconds", "seconds", [0.1, 1]);
        if (context.Configuration.HandlerOptions.TryGetValue("metric", out var name)) context.Metrics.Counter(name).Increment();
    }

    protected override void Answer(HandlerCall call, int batchSize)
    {
        switch (call.Request.Input.Text.Split(' '))
        {
            case ["die"]:
                Process.GetCurrentProcess().Kill();
                break;
            case ["many", var count]:
                for (var i = 0; i < int.Parse(count, CultureInfo.InvariantCulture); i++) _items.Increment($"kind {i}");
                break;
            case [var kind, var text]:
                var seconds = double.Parse(text, CultureInfo.InvariantCulture);
                _items.Increment(kind);
                _last.Set(seconds);
                _seconds.Observe(seconds);
                break;
        }
    }
}
