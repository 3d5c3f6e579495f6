using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Spectre.Console;

namespace Serve.Frontend.Commands;

/// <summary><c>serve predict</c>: sends files to a model and prints the answers.</summary>
internal static class PredictCommand
{
    private const string StandardInput = "-";
    private const int BarWidth = 40;

    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var model = new Argument<string>("MODEL") { Description = "The model's name" };
        var files = new Argument<string[]>("FILE") { Description = "Files to send, each as one request; - is standard input", Arity = ArgumentArity.OneOrMore };
        var version = new Option<string?>("--version", "-v") { HelpName = "VERSION", Description = "The model's version [default: its default version]" };
        var command = new DocumentedCommand("predict", "Sends each file to a model and prints its answer: labels with their probabilities as bars, anything else as it is.", """
            serve predict fashion-vit docs/samples/boot.png
            serve predict fashion-vit docs/samples/*.png --json
            cat numbers.json | serve predict my-model -
            """) { model, files, version };
        connection.AddTo(command);
        command.SetAction(async (arguments, cancellation) =>
        {
            using var client = connection.Connect(arguments);
            var screen = new Screen(arguments.InvocationConfiguration.Output);
            var errors = arguments.InvocationConfiguration.Error;
            var names = arguments.GetRequiredValue(files);
            var code = ExitCode.Success;
            foreach (var file in names)
            {
                try
                {
                    await using var body = Open(file);
                    var (answer, mediaType) = await client.PredictAsync(arguments.GetRequiredValue(model), arguments.GetValue(version), body, cancellation);
                    if (IsText(mediaType)) Show(screen, names.Length > 1 ? file : null, Encoding.UTF8.GetString(answer), connection.Json(arguments));
                    else await screen.BytesAsync(answer, cancellation);
                }
                catch (CommandException e) when (e.ExitCode == ExitCode.Failed && names.Length > 1)
                {
                    // One bad picture must not hide the answers for the others.
                    await errors.WriteLineAsync($"{file}: {e.Message}");
                    code = ExitCode.Failed;
                }
            }

            return code;
        });
        return command;
    }

    private static Stream Open(string file)
    {
        if (file == StandardInput) return Console.OpenStandardInput();
        try
        {
            return File.OpenRead(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Failed, $"{file}: {(e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message)}");
        }
    }

    // One without a type may be text, and mostly is.
    private static bool IsText(string? mediaType) =>
        mediaType is null or "application/json" or "application/problem+json" || mediaType.StartsWith("text/", StringComparison.OrdinalIgnoreCase) || mediaType.EndsWith("+json", StringComparison.OrdinalIgnoreCase);

    private static void Show(Screen screen, string? file, string answer, bool json)
    {
        if (file is not null && !json) screen.Line($"{file}:");
        if (!json && Labels(answer) is { } labels) ShowLabels(screen, labels);
        else screen.Json(answer);
    }

    /// <summary>A classifier's answer, label to probability; null for any other.</summary>
    internal static List<(string Label, double Probability)>? Labels(string answer)
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            if (document.RootElement.ValueKind != JsonValueKind.Object) return null;
            var labels = new List<(string, double)>();
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Value.ValueKind != JsonValueKind.Number) return null;
                var value = property.Value.GetDouble();
                if (value is not (>= 0 and <= 1)) return null;
                labels.Add((property.Name, value));
            }

            return labels.Count > 0 ? labels : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void ShowLabels(Screen screen, List<(string Label, double Probability)> labels)
    {
        var width = labels.Max(label => label.Label.Length);
        foreach (var (label, probability) in labels)
        {
            var number = probability.ToString("0.0000", CultureInfo.InvariantCulture);
            var bar = new string('█', (int)Math.Round(probability * BarWidth));
            if (screen.IsTerminal) screen.Ansi.MarkupLine($"{Markup.Escape(label.PadRight(width))}  {number}  [green]{bar}[/]");
            else screen.Line($"{label.PadRight(width)}  {number}");
        }
    }
}
