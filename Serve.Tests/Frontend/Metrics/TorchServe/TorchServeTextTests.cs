using System.Text;
using Serve.Core.Observability;
using Serve.Frontend.Metrics.TorchServe;

namespace Serve.Tests.Frontend.Metrics.TorchServe;

public sealed class TorchServeTextTests
{
    [Fact]
    public void A_series_is_written_as_TorchServes_library_writes_it()
    {
        var text = new TorchServeText();
        text.Add(TorchServeFamily.Requests2XX, 12, "Host", "h");
        text.Add(TorchServeFamily.QueueTime, null, "Host", "h");
        text.Add(TorchServeFamily.HandlerTime, 0.25, "a", "Model", "h");
        text.Add(TorchServeFamily.HandlerTime, 1e20, "b", "Model", "h\"\\\n");

        Assert.Equal(
            """
            # HELP Requests2XX Torchserve prometheus counter metric with unit: Count
            # TYPE Requests2XX counter
            Requests2XX{Level="Host",Hostname="h",} 12.0
            # HELP HandlerTime Torchserve prometheus gauge metric with unit: ms
            # TYPE HandlerTime gauge
            HandlerTime{ModelName="a",Level="Model",Hostname="h",} 0.25
            HandlerTime{ModelName="b",Level="Model",Hostname="h\"\\\n",} 1E+20

            """, Encoding.UTF8.GetString(text.ToBytes()));
    }
}
