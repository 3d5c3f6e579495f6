using System.CommandLine;

namespace Serve.Frontend.Commands;

/// <summary><c>serve set-default</c>.</summary>
internal static class SetDefaultCommand
{
    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var model = new Argument<string>("MODEL") { Description = "The model's name" };
        var version = new Argument<string>("VERSION") { Description = "The version that requests without one go to" };
        var command = new DocumentedCommand("set-default", "Makes a version the default: requests that name no version go to it from now on.", """
            serve set-default fashion-vit 2.0
            """) { model, version };
        connection.AddTo(command);
        command.SetAction(async (arguments, cancellation) =>
        {
            var path = QueryText.OfModel(arguments.GetRequiredValue(model), arguments.GetRequiredValue(version), "/set-default");
            using var client = connection.Connect(arguments);
            StatusAnswer.Print(arguments, connection, await client.ManageAsync(HttpMethod.Put, path.ToString(), cancellation));
            return ExitCode.Success;
        });
        return command;
    }
}
