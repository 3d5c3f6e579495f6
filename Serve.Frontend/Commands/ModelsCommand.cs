using System.CommandLine;
using Serve.Management.Rest;

namespace Serve.Frontend.Commands;

/// <summary><c>serve models</c>: lists models, describes one; <c>create</c> makes one.</summary>
internal static class ModelsCommand
{
    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var name = new Argument<string?>("NAME") { Description = "The model to describe; none: list all", Arity = ArgumentArity.ZeroOrOne };
        var version = new Option<string?>("--version", "-v") { HelpName = "VERSION", Description = "Only this version of it" };
        var command = new DocumentedCommand("models", "Lists the registered models, or describes one with its workers.", """
            serve models
            serve models fashion-vit
            serve models create vit_b_16        (writes a model into the store; see its own help)
            """) { name, version, CreateModelCommand.Create() };
        connection.AddTo(command);
        command.SetAction(async (arguments, cancellation) =>
        {
            using var client = connection.Connect(arguments);
            var screen = new Screen(arguments.InvocationConfiguration.Output);
            return arguments.GetValue(name) is { } model
                ? await DescribeAsync(client, screen, model, arguments.GetValue(version), connection.Json(arguments), cancellation)
                : await ListAsync(client, screen, connection.Json(arguments), cancellation);
        });
        return command;
    }

    private static async Task<int> DescribeAsync(ServerClient client, Screen screen, string model, string? version, bool json, CancellationToken cancellation)
    {
        var (text, versions) = await client.DescribeAsync(model, version, cancellation);
        if (json) screen.Json(text);
        else foreach (var one in versions) ModelTables.Details(screen, one);
        return ExitCode.Success;
    }

    private static async Task<int> ListAsync(ServerClient client, Screen screen, bool json, CancellationToken cancellation)
    {
        if (json)
        {
            screen.Json(await client.ManageAsync(HttpMethod.Get, "/models", cancellation));
            return ExitCode.Success;
        }

        var versions = new List<VersionBody>();
        foreach (var name in await client.ListNamesAsync(cancellation)) versions.AddRange((await client.DescribeAsync(name, null, cancellation)).Versions);
        if (versions.Count == 0) screen.Line("No models are registered. Register one with: serve register NAME --initial-workers 1");
        else ModelTables.Versions(screen, versions);
        return ExitCode.Success;
    }
}
