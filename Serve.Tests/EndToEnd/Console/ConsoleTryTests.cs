using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Serve.Core.Configuration.Tokens;
using static Microsoft.Playwright.Assertions;

namespace Serve.Tests.EndToEnd.Console;

/// <summary>The page on which a model is tried: what is typed and chosen there stays, and what is shown is so.</summary>
public sealed class ConsoleTryTests : IClassFixture<ConsoleServer>
{
    private static readonly string Images = Path.Combine(Repository.Root, "Serve.Tests", "Data", "images");

    private readonly ConsoleServer _console;

    public ConsoleTryTests(ConsoleServer console, ITestOutputHelper output)
    {
        Assert.SkipUnless(Chromium.IsInstalled, Chromium.HowToInstall);
        _console = console;
        console.Server.ShowLogs(output);
    }

    [Fact]
    public async Task What_is_typed_stays_when_the_model_becomes_known()
    {
        await using var tab = await _console.OpenAsync();
        var asked = new TaskCompletionSource<IRoute>();
        await tab.Page.RouteAsync("**/models/fashion-vit/1.0", asked.SetResult);
        await tab.GoLiveAsync("#/try/fashion-vit/1.0");
        var description = await asked.Task;
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "JSON", Exact = true }).ClickAsync();
        var box = tab.Page.GetByRole(AriaRole.Textbox, new() { Name = "JSON" });
        await box.FillAsync("[1, 2, 3]");

        await description.ContinueAsync();
        await Expect(tab.Page.GetByText("The model takes")).ToBeVisibleAsync();
        await Expect(box).ToHaveValueAsync("[1, 2, 3]");
        tab.AssertClean();
    }

    [Fact]
    public async Task A_model_is_chosen_with_the_keyboard_and_the_choice_keeps_the_focus()
    {
        await ServeRepeatAsync();
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/try/fashion-vit/1.0");
        var choice = tab.Page.GetByRole(AriaRole.Combobox, new() { Name = "Model" });
        await choice.FocusAsync();
        await tab.Page.Keyboard.PressAsync("ArrowDown");
        await Expect(tab.Page).ToHaveURLAsync(new Regex("#/try/repeat/1.0$"));
        await Expect(tab.Page).ToHaveTitleAsync("Try repeat · Serve");
        await Expect(choice).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync("ArrowUp");
        await Expect(tab.Page).ToHaveURLAsync(new Regex("#/try/fashion-vit/1.0$"));

        // Another page is read from its beginning.
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "Overview" }).ClickAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Main)).ToBeFocusedAsync();
        tab.AssertClean();
    }

    [Fact]
    public async Task An_answer_in_parts_has_no_time_that_was_not_measured_and_stays_while_the_model_is_away()
    {
        await ServeRepeatAsync();
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/try/repeat/1.0");
        await tab.Page.GetByRole(AriaRole.Textbox, new() { Name = "JSON" }).FillAsync("""{"text": "tick\n", "count": 3, "intervalMs": 5}""");
        await tab.Page.Keyboard.PressAsync("Control+Enter");
        var answer = tab.Page.GetByLabel("Answer", new() { Exact = true }).Filter(new() { HasText = "tick" }).Last;
        await Expect(answer).ToBeVisibleAsync();
        var times = tab.Page.GetByRole(AriaRole.List, new() { Name = "Time in each stage" });
        await Expect(times).ToContainTextAsync("read");
        await Expect(times).Not.ToContainTextAsync("network and browser");
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "In the server", Exact = true })).ToBeVisibleAsync();

        // As while a server starts again, which has no models at first.
        Assert.Equal(HttpStatusCode.OK, (await _console.Server.ManageAsync(HttpMethod.Delete, "/models/repeat")).Status);
        await Expect(tab.Page.GetByText("There is no version 1.0 of repeat.")).ToBeVisibleAsync();
        await Expect(answer).ToBeVisibleAsync();
        await Expect(tab.Page.GetByRole(AriaRole.Textbox, new() { Name = "JSON" })).ToHaveValueAsync(new Regex("tick"));
        await ServeRepeatAsync();
        await Expect(tab.Page.GetByText("There is no version 1.0 of repeat.")).ToHaveCountAsync(0);
        await Expect(answer).ToBeVisibleAsync();
        tab.AssertClean();
    }

    [Fact]
    public async Task A_picture_is_shown_as_the_model_gets_it_not_as_the_camera_was_held()
    {
        await using var tab = await _console.OpenAsync();
        await tab.GoLiveAsync("#/try/fashion-vit/1.0");
        await tab.DropAsync(".drop", Path.Combine(Images, "formats", "exif-rotated.jpg"), "image/jpeg");
        var (width, height) = await ShownAsync(tab);
        Assert.Equal(180.0 / 120, width / height, 0.05);
        tab.AssertClean();
    }

    [Fact]
    public async Task A_small_picture_that_is_wide_keeps_its_shape()
    {
        await using var tab = await _console.OpenAsync();
        await tab.Page.SetViewportSizeAsync(360, 780);
        await tab.GoLiveAsync("#/try/fashion-vit/1.0");
        await tab.Page.EvaluateAsync(
            """
            async () => {
              const canvas = new OffscreenCanvas(120, 8);
              canvas.getContext('2d').fillRect(0, 0, 60, 8);
              const transfer = new DataTransfer();
              transfer.items.add(new File([await canvas.convertToBlob()], 'wide.png', { type: 'image/png' }));
              document.querySelector('.drop').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
            }
            """);
        var (width, height) = await ShownAsync(tab);
        Assert.Equal(120.0 / 8, width / height, 0.5);
        tab.AssertClean();
    }

    [Fact]
    public async Task The_command_has_a_token_where_inference_asks_for_one_although_the_page_has_none()
    {
        await using var server = await ServerFixture.StartAsync(new ServerOptions
        {
            Flags = ["--inference-tokens", "env:INFERENCE_TOKEN"],
            Environment = new Dictionary<string, string> { ["INFERENCE_TOKEN"] = AccessToken.NewText() },
        });
        await using var tab = await _console.OpenAsync(server.Management);
        await tab.GoLiveAsync("#/try/fashion-vit/1.0");
        await tab.DropAsync(".drop", Path.Combine(Repository.Root, "docs", "samples", "boot.png"), "image/png");
        await Expect(tab.Page.GetByLabel("curl command")).ToContainTextAsync("-H \"Authorization: Bearer $SERVE_TOKEN\"");
        tab.AssertClean();
    }

    private static async Task<(float Width, float Height)> ShownAsync(ConsoleTab tab)
    {
        var picture = tab.Page.GetByRole(AriaRole.Img, new() { Name = "What was sent" });
        await Expect(picture).ToBeVisibleAsync();
        await Expect(tab.Page.GetByRole(AriaRole.List, new() { Name = "Labels" })).ToBeVisibleAsync();
        var box = (await picture.BoundingBoxAsync())!;
        return (box.Width, box.Height);
    }

    // A model without a file.
    private async Task ServeRepeatAsync()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_console.Server.ModelStore, "repeat", "1.0"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "model-config.yaml"), "handler: repeat\n", TestContext.Current.CancellationToken);
        var answer = await _console.Server.ManageAsync(HttpMethod.Post, "/models?url=repeat/1.0&initial_workers=1&synchronous=true");
        Assert.Contains(answer.Status, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.Conflict]);
    }
}
