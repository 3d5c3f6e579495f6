using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Serve.Core.Configuration.Tokens;
using Serve.Core.Models.Archives;
using static Microsoft.Playwright.Assertions;

namespace Serve.Tests.EndToEnd.Console;

/// <summary>The web console in a real browser, against the real server.</summary>
public sealed class ConsoleTests : IClassFixture<ConsoleServer>
{
    private static readonly string Samples = Path.Combine(Repository.Root, "docs", "samples");

    private readonly ConsoleServer _console;

    public ConsoleTests(ConsoleServer console, ITestOutputHelper output)
    {
        Assert.SkipUnless(Chromium.IsInstalled, Chromium.HowToInstall);
        _console = console;
        console.Server.ShowLogs(output);
    }

    [Fact]
    public async Task A_dropped_picture_is_labelled_and_the_command_that_is_shown_gives_the_same_label()
    {
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/try/fashion-vit/1.0");
        await tab.DropAsync(".drop", Path.Combine(Samples, "boot.png"), "image/png");

        var bars = tab.Page.GetByRole(AriaRole.List, new() { Name = "Labels" }).GetByRole(AriaRole.Listitem);
        await Expect(bars.First).ToContainTextAsync(new Regex(@"Ankle boot\s*9\d %"));
        await Expect(tab.Page.GetByRole(AriaRole.List, new() { Name = "Time in each stage" })).ToContainTextAsync("execute");
        await Expect(tab.Page.GetByText("in a batch of 1 request")).ToBeVisibleAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Img, new() { Name = "What was sent" })).ToBeVisibleAsync();
        await tab.ShootAsync("try-picture");

        var command = (await tab.Page.GetByLabel("curl command").TextContentAsync())!;
        Assert.Equal($"curl -T boot.png {_console.Server.Inference}/predictions/fashion-vit/1.0", command.Trim());
        Assert.Contains("Ankle boot", await RunAsync(command), StringComparison.Ordinal);

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Python" }).ClickAsync();
        await Expect(tab.Page.GetByLabel("Python command")).ToContainTextAsync("requests.post(");
        tab.AssertClean();
    }

    [Fact]
    public async Task What_the_model_refuses_is_told_in_the_servers_words()
    {
        await using var tab = await _console.OpenAsync();
        tab.Expect("400 (Bad Request)");
        await tab.GoLiveAsync("#/try/fashion-vit");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "JSON", Exact = true }).ClickAsync();
        await tab.Page.GetByRole(AriaRole.Textbox, new() { Name = "JSON" }).FillAsync("{\"data\": 1}");
        await tab.Page.Keyboard.PressAsync("Control+Enter");
        await Expect(tab.Page.Locator(".notice.bad")).ToContainTextAsync("picture");
        await Expect(tab.Page.GetByLabel("curl command")).ToContainTextAsync("--data-raw '{\"data\": 1}'");
        tab.AssertClean();
    }

    [Fact]
    public async Task A_model_is_scaled_to_three_and_a_worker_that_is_killed_is_seen_to_be_replaced()
    {
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/models/fashion-vit");
        await tab.Page.GetByRole(AriaRole.Spinbutton, new() { Name = "Workers" }).FillAsync("3");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Scale", Exact = true }).ClickAsync();
        var ready = tab.Page.GetByRole(AriaRole.Table, new() { Name = "Workers" }).Locator("tbody tr").Filter(new() { HasTextRegex = new Regex("Ready|Busy") });
        await Expect(ready).ToHaveCountAsync(3);
        await Expect(tab.Page.GetByRole(AriaRole.Status)).ToContainTextAsync(["Workers scaled to 3"]);
        await tab.ShootAsync("model-with-three-workers");

        var victim = (await ready.Last.Locator("[data-title=Process]").TextContentAsync())!.Trim();
        Signals.Kill(int.Parse(victim, CultureInfo.InvariantCulture));
        await Expect(tab.Page.Locator("[data-title=Process]").Filter(new() { HasTextRegex = new Regex($"^{victim}$") })).ToHaveCountAsync(0);
        await Expect(tab.Page.GetByText("1 has died so far")).ToBeVisibleAsync();
        await Expect(tab.Page.Locator(".notice", new() { HasText = "Last error" })).ToBeVisibleAsync();
        await Expect(ready).ToHaveCountAsync(3);

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Show what they wrote" }).ClickAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { NameRegex = new Regex($"process {victim}, died") })).ToBeVisibleAsync();
        await tab.ShootAsync("model-after-a-death");
        tab.AssertClean();
    }

    [Fact]
    public async Task An_archive_is_uploaded_and_registered_and_unregistered_after_its_name_is_typed()
    {
        using var folder = new TemporaryFolder();
        var model = Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0");
        var archive = ModelArchiver.Create(new ArchiveRequest
        {
            ModelName = "uploaded",
            SerializedFile = Path.Combine(model, "model.onnx"),
            ExtraFiles = [Path.Combine(model, "index_to_name.json")],
            ConfigFile = Path.Combine(model, "model-config.yaml"),
            ExportPath = folder.Path,
        });
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/register");
        await tab.Page.GetByLabel("Drop an archive here").SetInputFilesAsync(archive);
        await Expect(tab.Page.GetByText("Model \"uploaded\" Version: 1.0 registered with 1 initial workers")).ToBeVisibleAsync();
        await tab.ShootAsync("register-uploaded");

        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "Its page" }).ClickAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "uploaded" })).ToBeVisibleAsync();
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Unregister" }).ClickAsync();
        var dialog = tab.Page.GetByRole(AriaRole.Dialog);
        var confirm = dialog.GetByRole(AriaRole.Button, new() { Name = "Unregister" });
        await Expect(confirm).ToBeDisabledAsync();
        await dialog.GetByRole(AriaRole.Textbox).FillAsync("uploaded");
        if (ConsoleTab.HasAxe) Assert.Empty(await tab.AxeAsync());
        await confirm.ClickAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "Overview" })).ToBeVisibleAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Rowheader, new() { Name = "uploaded" })).ToHaveCountAsync(0);

        // It lies in the store still, from where it can be registered again.
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "Register", Exact = true }).ClickAsync();
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Register uploaded 1.0" }).ClickAsync();
        await Expect(tab.Page.GetByText("Model \"uploaded\" Version: 1.0 registered")).ToBeVisibleAsync();
        Assert.Equal(HttpStatusCode.OK, (await _console.Server.ManageAsync(HttpMethod.Delete, "/models/uploaded")).Status);
        tab.AssertClean();
    }

    [Fact]
    public async Task A_server_with_tokens_is_asked_only_with_one_which_can_be_taken_back_and_its_end_is_seen()
    {
        var token = AccessToken.NewText();
        await using var server = await ServerFixture.StartAsync(new ServerOptions
        {
            Models = [],
            Flags = ["--load-models", "none", "--management-tokens", "env:MANAGEMENT_TOKEN"],
            Environment = new Dictionary<string, string> { ["MANAGEMENT_TOKEN"] = token },
        });
        await using var tab = await _console.OpenAsync(server.Management);
        tab.Expect("401 (Unauthorized)");
        await tab.GoAsync("");
        var dialog = tab.Page.GetByRole(AriaRole.Dialog);
        await Expect(dialog).ToContainTextAsync("asks for a token");
        if (ConsoleTab.HasAxe) Assert.Empty(await tab.AxeAsync());
        await dialog.GetByLabel("Management token").FillAsync("wrong");
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(dialog).ToContainTextAsync("does not take this token");

        // Who has none is not asked again until he says so.
        await LeaveAsync(dialog.GetByRole(AriaRole.Button, new() { Name = "Cancel" }));
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Enter a token" }).ClickAsync();
        await dialog.GetByLabel("Management token").FillAsync(token);
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(dialog).ToHaveCountAsync(0);
        await Expect(tab.Page.GetByText("No model is registered.")).ToBeVisibleAsync();
        Assert.Null(await tab.Page.EvaluateAsync<string?>("Object.values(localStorage).find(value => value.length > 20)"));

        // Nothing stays of what the token has shown, nor the token.
        await LeaveAsync(tab.Page.GetByRole(AriaRole.Button, new() { Name = "Log out" }));
        Assert.Equal(0, await tab.Page.GetByText("No model is registered.").CountAsync());
        Assert.Equal(0, await tab.Page.EvaluateAsync<int>("sessionStorage.length"));
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Enter a token" }).ClickAsync();
        await dialog.GetByLabel("Management token").FillAsync(token);
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(tab.Page.GetByText("No model is registered.")).ToBeVisibleAsync();

        tab.Expect("ERR_CONNECTION_REFUSED");
        tab.Expect("ERR_INCOMPLETE_CHUNKED_ENCODING");
        await server.StopAsync();
        await Expect(tab.Page.Locator(".banner")).ToContainTextAsync("Disconnected.");
        await tab.ShootAsync("disconnected");
        tab.AssertClean();

        async Task LeaveAsync(ILocator button)
        {
            await tab.Page.RunAndWaitForResponseAsync(() => button.ClickAsync(), answer => answer.Url.EndsWith("/overview", StringComparison.Ordinal) && answer.Status == 401);
            await Expect(tab.Page.Locator(".status .pill", new() { HasText = "No token" })).ToBeVisibleAsync();
            Assert.Equal(0, await dialog.CountAsync());
        }
    }

    [Fact]
    public async Task Every_page_is_accessible_in_both_colour_schemes_and_fits_a_small_telephone()
    {
        await using var tab = await _console.OpenAsync();
        var pages = new Dictionary<string, (string Place, string Title)>
        {
            ["overview"] = ("#/", "Overview"),
            ["model"] = ("#/models/fashion-vit/1.0", "fashion-vit"),
            ["register"] = ("#/register", "Register"),
            ["try"] = ("#/try/fashion-vit/1.0", "Try it"),
            ["missing"] = ("#/models/none", "none"),
        };
        var problems = new List<string>();
        await tab.GoLiveAsync("");
        foreach (var (name, (place, title)) in pages)
        {
            await tab.Page.SetViewportSizeAsync(1280, 900);
            await tab.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
            await tab.Page.EvaluateAsync("place => { location.hash = place; }", place);
            await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Level = 1, NameRegex = new Regex(title) })).ToBeVisibleAsync();
            if (name == "try")
            {
                await tab.Page.Locator("input[type=file]").SetInputFilesAsync(Path.Combine(Samples, "bag.png"));
                await Expect(tab.Page.GetByRole(AriaRole.List, new() { Name = "Labels" })).ToBeVisibleAsync();
            }

            await tab.ShootAsync($"{name}-light");
            foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
            {
                await tab.Page.EmulateMediaAsync(new() { ColorScheme = scheme });
                if (ConsoleTab.HasAxe) problems.AddRange((await tab.AxeAsync(ofColours: scheme == ColorScheme.Dark)).Select(problem => $"{name}, {scheme}: {problem}"));
            }

            await tab.Page.SetViewportSizeAsync(360, 780);
            var tooWide = await tab.Page.EvaluateAsync<int>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            if (tooWide > 0) problems.Add($"{name}: {tooWide} pixels too wide at 360");
            await tab.ShootAsync($"{name}-dark-360");
        }

        Assert.Empty(problems);
        tab.AssertClean();
        Assert.SkipUnless(ConsoleTab.HasAxe, ConsoleTab.HowToInstallAxe);
    }

    [Fact]
    public async Task It_is_used_with_the_keyboard_alone_and_plots_move()
    {
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("");
        await tab.Page.Keyboard.PressAsync("Tab");
        await Expect(tab.Page.GetByRole(AriaRole.Link, new() { Name = "Skip to content" })).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(tab.Page.GetByRole(AriaRole.Main)).ToBeFocusedAsync();

        var uptime = tab.Page.Locator(".page-head .muted");
        await Expect(uptime).Not.ToHaveTextAsync((await uptime.TextContentAsync())!);
        var canvas = tab.Page.Locator(".plot canvas").First;
        await tab.Page.WaitForFunctionAsync("() => { const now = document.querySelector('.plot canvas').toDataURL(); const moved = window.before !== undefined && window.before !== now; window.before = now; return moved; }");
        await Expect(canvas).ToBeVisibleAsync();

        var theme = tab.Page.GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^Colours") });
        await theme.FocusAsync();
        await tab.Page.Keyboard.PressAsync("Enter");
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(theme).ToHaveAccessibleNameAsync("Colours: dark. Change");
        await Expect(tab.Page.Locator("body")).ToHaveCSSAsync("background-color", "rgb(14, 18, 23)");
        await tab.GoLiveAsync("");
        await Expect(tab.Page.Locator("body")).ToHaveCSSAsync("background-color", "rgb(14, 18, 23)");
        tab.AssertClean();
    }

    private static async Task<string> RunAsync(string command)
    {
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", command]) { WorkingDirectory = Samples, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await errors);
        return text;
    }
}
