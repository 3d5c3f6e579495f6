using System.Diagnostics;

namespace Serve.Tests.Management.Console;

/// <summary>The page that is committed is the one that its sources give.</summary>
public sealed class ConsoleBuildTests
{
    private static readonly string Sources = Path.Combine(Repository.Root, "console");

    [Fact]
    public async Task The_committed_page_is_what_its_sources_give_and_they_are_well_typed_and_pass_their_tests()
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(Sources, "node_modules")), "npm ci has not been run in console/ (Node.js is needed).");
        using var folder = new TemporaryFolder();
        await Task.WhenAll(NpmAsync("run", "check"), NpmAsync("test"), NpmAsync("run", "build", "--", folder.Path));

        var committed = Path.Combine(Repository.Root, "Serve.Management", "Console", "Page");
        Assert.Equal(Names(folder.Path), Names(committed));
        Assert.All(Names(committed), name => Assert.True(File.ReadAllText(Path.Combine(folder.Path, name)) == File.ReadAllText(Path.Combine(committed, name)), $"{name} is of other sources: run npm run build in console/ and commit what it gives."));
    }

    private static IEnumerable<string> Names(string folder) => Directory.GetFiles(folder).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal);

    private static async Task NpmAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("npm", arguments) { WorkingDirectory = Sources, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var texts = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, string.Concat(texts));
    }
}
