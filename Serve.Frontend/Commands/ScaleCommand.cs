using System.CommandLine;
using System.Globalization;

namespace Serve.Frontend.Commands;

/// <summary><c>serve scale</c>.</summary>
internal static class ScaleCommand
{
    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var model = new Argument<string>("MODEL") { Description = "The model's name" };
        var workers = new Argument<int>("WORKERS") { Description = "Worker processes to keep; 0 stops all" };
        var max = new Option<int?>("--max") { HelpName = "N", Description = "The most workers to have [default: WORKERS]" };
        var version = new Option<string?>("--version", "-v") { HelpName = "VERSION", Description = "The version [default: the default version]" };
        var wait = new Option<bool>("--no-wait") { Description = "Do not wait until the workers are there" };
        var command = new DocumentedCommand("scale", "Changes the number of worker processes of a model. Those too many finish their requests before they leave.", """
            serve scale fashion-vit 3
            serve scale fashion-vit 1 --max 4 --no-wait
            """) { model, workers, max, version, wait };
        connection.AddTo(command);
        command.SetAction(async (arguments, cancellation) =>
        {
            var query = QueryText.OfModel(arguments.GetRequiredValue(model), arguments.GetValue(version))
                .Add("min_worker", arguments.GetValue(workers).ToString(CultureInfo.InvariantCulture))
                .Add("max_worker", arguments.GetValue(max)?.ToString(CultureInfo.InvariantCulture))
                .Add("synchronous", arguments.GetValue(wait) ? "false" : "true");
            using var client = connection.Connect(arguments);
            StatusAnswer.Print(arguments, connection, await client.ManageAsync(HttpMethod.Put, query.ToString(), cancellation));
            return ExitCode.Success;
        });
        return command;
    }
}
