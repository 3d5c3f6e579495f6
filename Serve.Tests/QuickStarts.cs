using System.Runtime.CompilerServices;

namespace Serve.Tests;

/// <summary>
/// Lets the servers and workers that tests start spend less on compiling: half the processor time of the whole run was
/// that of some hundred processes that live for seconds. The settings are the runtime's, change nothing that a test can
/// see but time, and are none of the product's: a variable that is set already stays. What only the runtime of the test
/// process itself can be told before it starts is in <c>build/test.sh</c>.
/// </summary>
internal static class QuickStarts
{
    private static readonly (string Name, string Value)[] Settings =
    [
        ("DOTNET_TieredPGO", "0"), // no counting of branches
        ("DOTNET_TC_CallCountingDelayMs", "1000"), // nothing is compiled a second time while a process starts
        ("DOTNET_EnableWriteXorExecute", "0"), // no second mapping of each page of code
    ];

    [ModuleInitializer]
    internal static void Set()
    {
        foreach (var (name, value) in Settings)
        {
            if (Environment.GetEnvironmentVariable(name) is null) Environment.SetEnvironmentVariable(name, value);
        }
    }
}
