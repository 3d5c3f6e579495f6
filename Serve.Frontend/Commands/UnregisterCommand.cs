using System.CommandLine;

namespace Serve.Frontend.Commands;

/// <summary><c>serve unregister</c>.</summary>
internal static class UnregisterCommand
{
    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var model = new Argument<string>("MODEL") { Description = "The model's name" };
        var version = new Option<string?>("--version", "-v") { HelpName = "VERSION", Description = "The version [default: the default version]" };
        var command = new DocumentedCommand("unregister", "Removes a model version from the server, after the requests it has accepted are finished. Its files stay.", """
            serve unregister fashion-vit
            serve unregister fashion-vit --version 2.0
            """) { model, version };
        connection.AddTo(command);
        command.SetAction(async (arguments, cancellation) =>
        {
            var path = QueryText.OfModel(arguments.GetRequiredValue(model), arguments.GetValue(version));
            using var client = connection.Connect(arguments);
            StatusAnswer.Print(arguments, connection, await client.ManageAsync(HttpMethod.Delete, path.ToString(), cancellation));
            return ExitCode.Success;
        });
        return command;
    }
}
