using Serve.Core.Models.Snapshots;

namespace Serve.Tests.Core.Models;

public sealed class ManagedStateTests
{
    [Fact]
    public void A_default_that_never_came_back_and_is_unregistered_is_none_when_it_is_registered_anew()
    {
        var state = new ManagedState(new RegistrySnapshot
        {
            Models = [new ModelSnapshot { Name = "m", Default = "2.0", Versions = [Version("1.0"), Version("2.0")], Unregistered = [] }],
        });
        Assert.False(state.Registered("m", "1.0"));

        state.Unregister("m", "2.0", comesBack: false);

        Assert.False(state.Registered("m", "2.0"));
    }

    private static VersionSnapshot Version(string version) => new() { Version = version, Url = $"m/{version}" };
}
