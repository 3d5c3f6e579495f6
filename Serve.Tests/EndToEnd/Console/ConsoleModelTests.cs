using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Serve.Tests.EndToEnd.Console;

/// <summary>What the console does to models is what its user has seen and meant.</summary>
public sealed class ConsoleModelTests : IClassFixture<ConsoleServer>
{
    private readonly ConsoleServer _console;

    public ConsoleModelTests(ConsoleServer console, ITestOutputHelper output)
    {
        Assert.SkipUnless(Chromium.IsInstalled, Chromium.HowToInstall);
        _console = console;
        console.Server.ShowLogs(output);
    }

    [Fact]
    public async Task Scaling_keeps_the_range_in_which_autoscaling_moves()
    {
        await RegisterAsync("scaled", "1.0", "autoscale: true");
        await _console.Server.ScaleAsync("scaled", 1, 3);
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/models/scaled");
        var scale = tab.Page.GetByRole(AriaRole.Button, new() { Name = "Scale", Exact = true });
        var (least, most) = (tab.Page.GetByRole(AriaRole.Spinbutton, new() { Name = "Fewest workers" }), tab.Page.GetByRole(AriaRole.Spinbutton, new() { Name = "Most workers" }));
        await Expect(least).ToHaveValueAsync("1");
        await Expect(most).ToHaveValueAsync("3");
        await Expect(scale).ToBeDisabledAsync();

        await least.FillAsync("2");
        await scale.ClickAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Status)).ToContainTextAsync(["Workers scaled to 2"]);
        var scaled = await _console.Server.DescribeAsync("scaled");
        Assert.Equal((2, 3), (scaled.MinWorkers, scaled.MaxWorkers));
        await Expect(least).ToHaveValueAsync("2");

        await most.FillAsync("1");
        await Expect(scale).ToBeDisabledAsync();
        Assert.Equal(HttpStatusCode.OK, (await _console.Server.ManageAsync(HttpMethod.Delete, "/models/scaled")).Status);
        tab.AssertClean();
    }

    [Fact]
    public async Task How_long_a_worker_is_up_is_told_by_the_servers_clock()
    {
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/models/fashion-vit");
        var up = tab.Page.Locator("[data-title=Up]").First;
        await tab.Page.EvaluateAsync("() => { const now = Date.now; Date.now = () => now() + 86_400_000; }");
        await Expect(up).Not.ToHaveTextAsync((await up.TextContentAsync())!);
        await Expect(up).ToHaveTextAsync(new Regex(@"^\d+ s$|^\d+ min \d+ s$"));
        tab.AssertClean();
    }

    [Fact]
    public async Task A_question_is_of_the_version_that_it_names_and_an_answer_leads_nobody_away()
    {
        await RegisterAsync("twice", "1.0");
        await RegisterAsync("twice", "2.0");
        await SetDefaultAsync("1.0");
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/models/twice");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Unregister" }).ClickAsync();
        var dialog = tab.Page.GetByRole(AriaRole.Dialog);
        await Expect(dialog).ToContainTextAsync("Unregister twice 1.0?");
        await SetDefaultAsync("2.0");
        await Expect(dialog).ToHaveCountAsync(0);

        // It goes on where its dialog is closed, and takes nobody away from where he has gone.
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "1.0" }).ClickAsync();
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Unregister" }).ClickAsync();
        await Expect(dialog).ToContainTextAsync("Unregister twice 1.0?");
        await dialog.GetByRole(AriaRole.Textbox).FillAsync("twice");
        var asked = new TaskCompletionSource<IRoute>();
        await tab.Page.RouteAsync("**/models/twice/1.0", Hold);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Unregister" }).ClickAsync();
        var deletion = await asked.Task;
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Close" }).ClickAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Button, new() { Name = "Unregistering…" })).ToBeDisabledAsync();
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "Register", Exact = true }).ClickAsync();
        await deletion.ContinueAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Status)).ToContainTextAsync(["unregistered"]);
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "Register a model" })).ToBeVisibleAsync();
        tab.AssertClean();

        Task Hold(IRoute route)
        {
            if (route.Request.Method != "DELETE") return route.ContinueAsync();
            asked.SetResult(route);
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task What_is_chosen_during_an_upload_counts()
    {
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/register");
        var sent = new TaskCompletionSource<IRoute>();
        await tab.Page.RouteAsync("**/archives/*", sent.SetResult);
        await tab.Page.GetByLabel("Drop an archive here").SetInputFilesAsync(Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0", "model.onnx"));
        var upload = await sent.Task;
        await tab.Page.GetByLabel("Name", new() { Exact = true }).FillAsync("named-late");
        var registration = await tab.Page.RunAndWaitForRequestAsync(() => upload.ContinueAsync(), request => request.Method == "POST" && request.Url.Contains("/models?", StringComparison.Ordinal));
        Assert.Contains("model_name=named-late", registration.Url, StringComparison.Ordinal);
        await Expect(tab.Page.GetByText("Model \"named-late\" Version: 1.0 registered")).ToBeVisibleAsync();
        tab.AssertClean();
    }

    private async Task RegisterAsync(string name, string version, string configuration = "")
    {
        var source = Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0");
        _console.Server.CopyModel(source, Path.Combine(name, version));
        await File.AppendAllTextAsync(Path.Combine(_console.Server.ModelStore, name, version, "model-config.yaml"), $"\n{configuration}\n", TestContext.Current.CancellationToken);
        var answer = await _console.Server.ManageAsync(HttpMethod.Post, $"/models?url={name}/{version}&initial_workers=0&synchronous=true");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }

    private async Task SetDefaultAsync(string version) =>
        Assert.Equal(HttpStatusCode.OK, (await _console.Server.ManageAsync(HttpMethod.Put, $"/models/twice/{version}/set-default")).Status);
}
