using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Playwright;

namespace Serve.Tests.EndToEnd.Console;

/// <summary>The console in a browser's tab. When it is closed, nothing must have gone wrong in it that the test did not expect.</summary>
internal sealed class ConsoleTab : IAsyncDisposable
{
    private static readonly string AxeFile = Path.Combine(Repository.Root, "console", "node_modules", "axe-core", "axe.min.js");

    private readonly string _management;
    private readonly ConcurrentQueue<string> _faults = new();
    private readonly List<string> _expected = [];

    private ConsoleTab(IPage page, string management)
    {
        (Page, _management) = (page, management);
        page.Console += OnConsole;
        page.PageError += OnPageError;
        page.RequestFailed += OnRequestFailed;
        page.Request += OnRequest;
    }

    public const string HowToInstallAxe = "npm ci has not been run in console/ (Node.js is needed).";

    public static bool HasAxe => File.Exists(AxeFile);

    public IPage Page { get; }

    private string Address => _management + "/console/";

    public static async Task<ConsoleTab> OpenAsync(IPage page, string management)
    {
        await page.SetViewportSizeAsync(1280, 900);
        await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        return new ConsoleTab(page, management);
    }

    /// <summary>Loads a page of the console.</summary>
    /// <param name="place">For example <c>#/models/fashion-vit</c>.</param>
    public async Task GoAsync(string place)
    {
        // Another # alone is no navigation.
        var isThere = Page.Url.StartsWith(Address, StringComparison.Ordinal);
        await Page.GotoAsync(Address + place);
        if (isThere) await Page.ReloadAsync();
    }

    /// <summary>Goes there and waits until the server's numbers are on the page.</summary>
    public async Task GoLiveAsync(string place)
    {
        await GoAsync(place);
        await Page.Locator(".status .pill", new() { HasText = "Live" }).WaitForAsync();
    }

    /// <summary>From now on this may be among what goes wrong.</summary>
    public void Expect(string text) => _expected.Add(text);

    /// <summary>Keeps a picture of the page.</summary>
    public Task ShootAsync(string name) => Page.ScreenshotAsync(new() { Path = Path.Combine(ConsoleServer.Screenshots, name + ".png"), FullPage = true, Animations = ScreenshotAnimations.Disabled });

    /// <summary>What axe-core holds for serious or critical.</summary>
    /// <param name="ofColours">Only the rules that depend on colours: the page was looked at in another scheme before.</param>
    public async Task<IReadOnlyList<string>> AxeAsync(bool ofColours = false)
    {
        var rules = ofColours ? "runOnly: ['cat.color'], " : "";
        await Page.EvaluateAsync(await File.ReadAllTextAsync(AxeFile));
        var found = await Page.EvaluateAsync<JsonElement>($"axe.run(document, {{ {rules}resultTypes: ['violations'] }}).then(result => result.violations)");
        return
        [
            .. from violation in found.EnumerateArray()
               where violation.GetProperty("impact").GetString() is "serious" or "critical"
               from node in violation.GetProperty("nodes").EnumerateArray()
               select $"{violation.GetProperty("id").GetString()}: {node.GetProperty("html").GetString()} {node.GetProperty("failureSummary").GetString()}",
        ];
    }

    /// <summary>Drops a file on an element, as a person does with the mouse.</summary>
    public async Task DropAsync(string selector, string path, string mediaType)
    {
        var transfer = await Page.EvaluateHandleAsync(
            """
            ([base64, name, type]) => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([Uint8Array.from(atob(base64), letter => letter.charCodeAt(0))], name, { type }));
              return transfer;
            }
            """,
            new[] { Convert.ToBase64String(await File.ReadAllBytesAsync(path)), Path.GetFileName(path), mediaType });
        foreach (var happening in (string[])["dragenter", "dragover", "drop"]) await Page.DispatchEventAsync(selector, happening, new { dataTransfer = transfer });
    }

    /// <summary>Fails the test if something went wrong in the tab.</summary>
    public void AssertClean() => Assert.DoesNotContain(_faults, fault => !_expected.Any(text => fault.Contains(text, StringComparison.Ordinal)));

    public async ValueTask DisposeAsync()
    {
        Page.Console -= OnConsole;
        Page.PageError -= OnPageError;
        Page.RequestFailed -= OnRequestFailed;
        Page.Request -= OnRequest;
        await Page.UnrouteAllAsync();
        if (!Page.Url.StartsWith(Address, StringComparison.Ordinal)) return;
        await Page.EvaluateAsync("localStorage.clear(); sessionStorage.clear();");

        // The next test's faults are not those of a page that still asks a server that has ended.
        await Page.GotoAsync("about:blank");
    }

    private void OnConsole(object? sender, IConsoleMessage message)
    {
        if (message.Type is "error" or "warning") _faults.Enqueue($"{message.Type}: {message.Text}");
    }

    private void OnPageError(object? sender, string error) => _faults.Enqueue(error);

    private void OnRequestFailed(object? sender, IRequest request)
    {
        // The page ends its own event stream when it is left.
        if (request.Failure is not "net::ERR_ABORTED") _faults.Enqueue($"{request.Method} {request.Url}: {request.Failure}");
    }

    private void OnRequest(object? sender, IRequest request)
    {
        if (!request.Url.StartsWith(_management, StringComparison.Ordinal) && !request.Url.StartsWith("blob:", StringComparison.Ordinal)) _faults.Enqueue($"asks another server: {request.Url}");
    }
}
