using Serve.Core.Observability;

namespace Serve.Tests.Core.Observability;

public sealed class InferenceStatisticsTests
{
    // A failure is counted by two numbers: a reading between them has one success too many.
    [Fact]
    public void Between_two_readings_there_is_never_less_than_nothing()
    {
        var (later, earlier) = (new Tally(7, TimeSpan.FromSeconds(2)), new Tally(8, TimeSpan.FromSeconds(3)));

        Assert.Equal(default, later - earlier);
        Assert.Equal(new Tally(1, TimeSpan.FromSeconds(1)), earlier - later);
    }
}
