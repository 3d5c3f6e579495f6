using Microsoft.Extensions.Time.Testing;
using Serve.Core.Models.Snapshots;

namespace Serve.Tests.Core.Models;

public sealed class SnapshotWriterTests
{
    [Fact]
    public async Task A_disk_that_takes_long_is_told_of()
    {
        using var files = new TemporaryFolder();
        var (time, log) = (new FakeTimeProvider(), new LineLog());
        using var folder = SnapshotFolder.Open(files["snapshots"], log);
        var took = TimeSpan.FromSeconds(1);
        var writer = new SnapshotWriter(folder, Capture, time, log);

        await writer.SaveAsync();
        took = TimeSpan.FromSeconds(7);
        await writer.SaveAsync();
        Assert.StartsWith("it took 7.0 s", await log.NextAsync("it took"), StringComparison.Ordinal);

        RegistrySnapshot Capture()
        {
            time.Advance(took);
            return new RegistrySnapshot();
        }
    }
}
