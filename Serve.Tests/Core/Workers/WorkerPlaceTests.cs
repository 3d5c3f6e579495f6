using Serve.Core.Configuration;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

public sealed class WorkerPlaceTests
{
    [Fact]
    public async Task Whatever_goes_wrong_when_a_worker_is_made_the_place_tries_again()
    {
        using var workers = new PlayedWorkers();
        var made = 0;
        var place = new WorkerPlace(
            () =>
            {
                made++;
                throw new IOException("Too many open files");
            },
            workers.Spawner,
            new ModelConfiguration { Handler = "test", MaxRetries = 2 },
            workers.Time,
            workers.Log,
            static () => { });
        var life = place.RunAsync();

        await workers.Time.ElapseUntilAsync(place.Settled);
        Assert.Equal(3, made);
        Assert.True(place.IsFailed);
        Assert.Equal("Too many open files", place.Failure!.Reason);

        place.Revive();
        await workers.Time.ElapseUntilAsync(place.Settled);
        Assert.Equal(6, made);

        await place.LeaveAsync(TimeSpan.Zero);
        await life;
    }
}
