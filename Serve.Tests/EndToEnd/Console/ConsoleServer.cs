using Microsoft.Playwright;

namespace Serve.Tests.EndToEnd.Console;

/// <summary>One server with fashion-vit and one browser with one tab, for all tests of a class: a new tab costs two seconds.</summary>
public sealed class ConsoleServer : IAsyncLifetime
{
    /// <summary>Where the tests leave pictures of the pages.</summary>
    internal static readonly string Screenshots = Path.Combine(Repository.Root, "artifacts", "console");

    private ServerFixture? _server;
    private Chromium? _chromium;
    private IPage? _page;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    public async ValueTask InitializeAsync()
    {
        if (!Chromium.IsInstalled) return;
        Directory.CreateDirectory(Screenshots);
        Assertions.SetDefaultExpectTimeout(30_000); // a machine with other work is slow
        var browser = Chromium.LaunchAsync();
        _server = await ServerFixture.StartAsync();
        _chromium = await browser;
        _page = await _chromium.Browser.NewPageAsync(new() { ReducedMotion = ReducedMotion.Reduce });
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null) await _chromium.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
    }

    /// <summary>The tab, as if it were new.</summary>
    /// <param name="management">The management listener; without it, the class's server.</param>
    internal Task<ConsoleTab> OpenAsync(string? management = null) =>
        ConsoleTab.OpenAsync(_page ?? throw new InvalidOperationException("Chromium has not been started."), management ?? Server.Management);
}
