using System.Net;
using System.Text.Json;

namespace Serve.Tests.EndToEnd;

/// <summary><c>customized=true</c>: the handler is asked what it has to say about itself.</summary>
public sealed class DescribeHandlerTests(HandlerServer server, ITestOutputHelper output) : IClassFixture<HandlerServer>
{
    [Fact]
    public async Task A_handler_says_how_it_is_now()
    {
        server.Server.ShowLogs(output);
        await server.Server.ServeAsync("describing", "DescribingHandler");
        Assert.Equal("""{"mood":"fine","calls":0}""", await MetadataAsync("describing"));
        await server.Server.PredictAsync("describing", [1]);
        await server.Server.PredictAsync("describing", [1]);
        Assert.Equal("""{"mood":"fine","calls":2}""", await MetadataAsync("describing/1.0"));

        await server.Server.ServeAsync("silent", "EchoHandler");
        Assert.Null(await MetadataAsync("silent"));
        Assert.False((await server.Server.ManageAsync(HttpMethod.Get, "/models/describing")).Json[0].TryGetProperty("customizedMetadata", out _));
        Assert.Equal("""{"mood":"fine","calls":2}""", await MetadataAsync("describing/all"));
    }

    [Theory]
    [InlineData("throw", "The handler failed with InvalidOperationException: I would rather not.")]
    [InlineData("half", "The handler's Describe must write one whole JSON value.")]
    [InlineData("mute", "The handler's Describe must write one whole JSON value.")]
    public async Task A_handler_that_cannot_say_it_is_a_500(string mood, string message)
    {
        server.Server.ShowLogs(output);
        await server.Server.ServeAsync(mood, "DescribingHandler", $"handlerOptions:\n  mood: {mood}");
        var answer = await server.Server.ManageAsync(HttpMethod.Get, $"/models/{mood}?customized=true");
        Assert.Equal((HttpStatusCode.InternalServerError, message), (answer.Status, answer.Error.Message));
        Assert.Equal("hi", (await server.Server.PredictAsync(mood, "hi"u8.ToArray())).Text);
    }

    [Fact]
    public async Task A_handler_that_dies_of_it_fails_that_call_and_serves_on()
    {
        server.Server.ShowLogs(output);
        await server.Server.ServeAsync("dying", "DescribingHandler", "handlerOptions:\n  mood: die");
        var answer = await server.Server.ManageAsync(HttpMethod.Get, "/models/dying?customized=true");
        Assert.Equal((HttpStatusCode.InternalServerError, "InternalServerException"), (answer.Status, answer.Error.Type));
        await Eventually.BecomesAsync("it serves again", () => server.Server.PredictAsync("dying", "hi"u8.ToArray()), echo => echo.Text == "hi");
    }

    private async Task<string?> MetadataAsync(string model)
    {
        var answer = await server.Server.ManageAsync(HttpMethod.Get, $"/models/{model}?customized=true");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        return answer.Json[0].TryGetProperty("customizedMetadata", out var metadata) ? JsonSerializer.Serialize(metadata) : null;
    }
}
