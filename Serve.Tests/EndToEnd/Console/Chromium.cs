using System.Reflection;
using Microsoft.Playwright;

namespace Serve.Tests.EndToEnd.Console;

/// <summary>The system's Chromium without a window, driven by Playwright. Nothing is downloaded.</summary>
internal sealed class Chromium : IAsyncDisposable
{
    public const string HowToInstall = "There is no Chromium on the PATH (Debian's package chromium).";

    private static readonly string? Executable = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => ((string[])["chromium", "chromium-browser", "google-chrome"]).Select(name => Path.Combine(folder, name)))
        .FirstOrDefault(File.Exists);

    private readonly IPlaywright _playwright;

    private Chromium(IPlaywright playwright, IBrowser browser) => (_playwright, Browser) = (playwright, browser);

    public static bool IsInstalled => Executable is not null && File.Exists(Driver("node", "linux-x64", "node"));

    public IBrowser Browser { get; }

    public static async Task<Chromium> LaunchAsync()
    {
        // The driver runs from where the package lies, and is not copied beside the tests.
        Environment.SetEnvironmentVariable("PLAYWRIGHT_DRIVER_SEARCH_PATH", Package);
        var playwright = await Playwright.CreateAsync();
        try
        {
            // Where tests run as root, Chromium has no sandbox.
            return new Chromium(playwright, await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Executable, Args = ["--no-sandbox", "--disable-dev-shm-usage"] }));
        }
        catch
        {
            playwright.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Browser.DisposeAsync();
        _playwright.Dispose();
    }

    private static string Package
    {
        get
        {
            var root = typeof(Chromium).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == "NuGetPackageRoot").Value!;
            return Path.Combine(root, "microsoft.playwright", typeof(IPlaywright).Assembly.GetName().Version!.ToString(3));
        }
    }

    private static string Driver(params string[] parts) => Path.Combine([Package, ".playwright", .. parts]);
}
