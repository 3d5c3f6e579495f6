using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Core.Protocol;

namespace Serve.Tests.Core.Workers;

public sealed class WorkerStatesTests
{
    [Fact]
    public async Task Telling_the_states_of_workers_asks_no_device()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Its processes are scripts that signals end.");
        using var workers = new PlayedWorkers();
        var configuration = new ModelConfiguration { Handler = "test", MinWorkers = 1, MaxWorkers = 1 };
        var source = new ModelSource { Name = "states", Version = "1.0", Url = "states", Folder = workers.ModelFolder, Configuration = configuration, WrittenKeys = new HashSet<string>() };
        var version = new ModelVersion(source, configuration, null, isLoadedAtStartup: false, workers.Environment, workers.Log);
        var settled = version.StartWorkersAsync();
        var played = await workers.NextAsync();
        played.SayHello();
        played.SayReady(new ReadyMessage(8, "gpu:0", "test"));
        await settled;

        version.Check(forgiveSilence: false);
        Assert.Equal(0, workers.DeviceReadings);
        version.Describe();
        Assert.NotEqual(0, workers.DeviceReadings);

        var left = version.DrainAsync(TimeSpan.Zero, workers.Time);
        played.Disconnect();
        await workers.Time.ElapseUntilAsync(left);
        version.RemoveMetrics([]);
    }
}
