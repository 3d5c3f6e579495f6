using System.CommandLine;
using System.Text.RegularExpressions;
using Serve.Management.Http;

namespace Serve.Frontend.Commands;

/// <summary><c>serve register</c>.</summary>
internal static partial class RegisterCommand
{
    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var url = new Argument<string>("URL") { Description = "A name, folder or archive in the model store, or a URL that the server's allowedUrls permit" };
        var wait = new Option<bool>("--no-wait") { Description = "Do not wait until the workers are ready" };
        (Option<string?> Option, string Parameter)[] parameters =
        [
            (Text("--name", "NAME", "The name to register under [default: the archive's]"), "model_name"),
            (Text("--sha256", "SUM", "What the file's SHA-256 must be"), "sha256"),
            (Text("--handler", "HANDLER", "Replaces the configured handler"), "handler"),
            (Text("--batch-size", "N", "The most rows in a batch"), "batch_size"),
            (Text("--max-batch-delay", "MS", "How long an incomplete batch may wait, with batching: delayed"), "max_batch_delay"),
            (Text("--initial-workers", "N", "Workers to start [default: the model's minWorkers if its configuration says it, else 0: registered and not served]"), "initial_workers"),
            (Text("--response-timeout", "SECONDS", "How long a request may take"), "response_timeout"),
            (Text("--startup-timeout", "SECONDS", "How long a worker may take to load the model"), "startup_timeout"),
        ];
        var command = new DocumentedCommand("register", "Registers a model version from the model store. It is served once it has workers: as many as --initial-workers or the minWorkers of its configuration says, else none.", """
            serve register fashion-vit --initial-workers 1
            serve register resnet.mar --initial-workers 2 --batch-size 16
            serve register https://models.example.com/resnet.mar --initial-workers 1
            """) { url, wait };
        foreach (var (option, _) in parameters) command.Options.Add(option);
        connection.AddTo(command);
        command.SetAction(async (arguments, cancellation) =>
        {
            var query = new QueryText("/models").Add("url", arguments.GetRequiredValue(url)).Add("synchronous", arguments.GetValue(wait) ? "false" : "true");
            foreach (var (option, parameter) in parameters) query.Add(parameter, arguments.GetValue(option));
            using var client = connection.Connect(arguments);
            var answer = await client.ManageAsync(HttpMethod.Post, query.ToString(), cancellation);
            StatusAnswer.Print(arguments, connection, answer);
            if (!connection.Json(arguments) && WhatIsMissing(StatusAnswer.Text(arguments, connection, answer)) is { } hint) arguments.InvocationConfiguration.Output.WriteLine(hint);
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>How a version that was registered without workers is given one; null: it has some.</summary>
    /// <param name="status">The server's sentence, TorchServe's text.</param>
    internal static string? WhatIsMissing(string status) =>
        WithoutWorkers().Match(status) is { Success: true } match ? $"Give it a worker with: serve scale {match.Groups["name"]} 1 --version {match.Groups["version"]}" : null;

    [GeneratedRegex("^Model \"(?<name>[^\"]+)\" Version: (?<version>[^ ]+) registered with 0 initial workers\\.")]
    private static partial Regex WithoutWorkers();

    // As text: the server checks the values, with the same messages for everyone.
    private static Option<string?> Text(string name, string value, string description) => new(name) { HelpName = value, Description = description };
}

/// <summary>The answers that are one sentence.</summary>
internal static class StatusAnswer
{
    public static void Print(ParseResult arguments, ConnectionOptions connection, string answer)
    {
        var screen = new Screen(arguments.InvocationConfiguration.Output);
        if (connection.Json(arguments)) screen.Json(answer);
        else screen.Line(Text(arguments, connection, answer));
    }

    /// <summary>The sentence.</summary>
    public static string Text(ParseResult arguments, ConnectionOptions connection, string answer) =>
        ServerClient.Read(answer, HttpJson.Default.StatusBody, connection.Addresses(arguments).Management).Status;
}
