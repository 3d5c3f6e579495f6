using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using Serve.Core.Models;
using Serve.Core.Observability;

namespace Serve.Tests.Core.Observability;

public sealed class ServeMetricsTests
{
    [Fact]
    public async Task Promtool_finds_nothing_to_complain_about()
    {
        using var metrics = Used(Unique());
        using var worker = metrics.ForWorker("9000");
        worker.Update(1 << 20, 1000, new WorkerStages { DeviceBusy = TimeSpan.FromSeconds(1) }, 1, 2);
        ServeMetrics.Http("inference").Answered(200);
        var scrape = await ScrapeAsync();

        using var promtool = Start();
        if (promtool is null)
        {
            Assert.Skip("promtool is not installed (Debian's package prometheus has it).");
            return;
        }

        await promtool.StandardInput.WriteAsync(scrape);
        promtool.StandardInput.Close();
        var complaints = await promtool.StandardOutput.ReadToEndAsync() + await promtool.StandardError.ReadToEndAsync();
        await promtool.WaitForExitAsync();

        Assert.Equal("", complaints.Trim());
        Assert.Equal(0, promtool.ExitCode);

        static Process? Start()
        {
            try
            {
                return Process.Start(new ProcessStartInfo("promtool", ["check", "metrics"])
                {
                    RedirectStandardInput = true,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                });
            }
            catch (Win32Exception)
            {
                return null;
            }
        }
    }

    [Fact]
    public async Task An_unregistered_model_leaves_no_series_behind()
    {
        var model = Unique();
        var metrics = Used(model);
        metrics.ForWorker("9001").Dispose();
        Assert.Contains(model, await ScrapeAsync(), StringComparison.Ordinal);

        metrics.Dispose();
        metrics.RequestAnswered(418, TimeSpan.Zero, 0, 0);
        metrics.SetInfo("tensor", "cpu");

        Assert.DoesNotContain(model, await ScrapeAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_counted_is_what_a_scrape_shows()
    {
        var model = Unique();
        using var metrics = Used(model);
        metrics.RequestAccepted();
        metrics.RequestAnswered(503, TimeSpan.FromSeconds(2), 10, 20);
        metrics.SetState(ModelState.Failed);
        var scrape = await ScrapeAsync();
        var labels = $"model=\"{model}\",version=\"1.0\"";

        Assert.Contains($"serve_requests_total{{{labels},code=\"200\"}} 1\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_requests_total{{{labels},code=\"503\"}} 1\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_request_duration_seconds_bucket{{{labels},le=\"2\"}} 2\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_requests_in_flight{{{labels}}} 0\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_batch_size_bucket{{{labels},le=\"4\"}} 1\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_batch_size_bucket{{{labels},le=\"2\"}} 0\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_stage_duration_seconds_count{{{labels},stage=\"decode_wait\"}} 1\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_worker_deaths_total{{{labels},reason=\"response_timeout\"}} 1\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_rejected_total{{{labels},reason=\"queue_full\"}} 1\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_model_state{{{labels},state=\"failed\"}} 1\n", scrape, StringComparison.Ordinal);
        Assert.Contains($"serve_model_state{{{labels},state=\"ready\"}} 0\n", scrape, StringComparison.Ordinal);
    }

    private static string Unique() => $"m{Guid.NewGuid():N}";

    private static ModelMetrics Used(string model)
    {
        var metrics = new ModelMetrics(model, "1.0");
        metrics.RequestAccepted();
        metrics.RequestAnswered(200, TimeSpan.FromMilliseconds(3), 100, 10);
        foreach (var stage in Enum.GetValues<RequestStage>()) metrics.StageDone(stage, TimeSpan.FromMilliseconds(1));
        metrics.BatchBegun(3);
        metrics.SetQueueCapacity(100);
        metrics.SetQueueLength(1);
        metrics.RequestRejected(RejectReason.QueueFull);
        metrics.RequestExpired(ExpiredPlace.Queue);
        metrics.RequestCancelled();
        metrics.RequestRetried();
        metrics.SetWorkers(WorkerState.Ready, 2);
        metrics.WorkerStarted();
        metrics.WorkerDied(WorkerDeath.ResponseTimeout);
        metrics.ModelLoaded(TimeSpan.FromSeconds(.5));
        metrics.SetState(ModelState.Ready);
        metrics.SetInfo("image_classifier", "cpu");
        return metrics;
    }

    private static async Task<string> ScrapeAsync()
    {
        using var text = new MemoryStream();
        await ServeMetrics.Registry.CollectAndExportAsTextAsync(text);
        return Encoding.UTF8.GetString(text.ToArray());
    }
}
