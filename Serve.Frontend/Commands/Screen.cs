using System.Text;
using Spectre.Console;

namespace Serve.Frontend.Commands;

/// <summary>Prints for people: tables and colours on a terminal, plain text elsewhere.</summary>
internal sealed class Screen
{
    // Wide enough that nothing wraps where a program, and not a terminal, reads.
    private const int WidthOfFiles = 500;

    private readonly TextWriter _output;

    public Screen(TextWriter output)
    {
        _output = output;
        IsTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        Ansi = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            Ansi = IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = IsTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!IsTerminal) Ansi.Profile.Width = WidthOfFiles;
    }

    /// <summary>Whether a person watches.</summary>
    public bool IsTerminal { get; }

    /// <summary>The console beneath, for progress bars.</summary>
    public IAnsiConsole Ansi { get; }

    /// <summary>A line of text, as it is.</summary>
    public void Line(string text) => _output.WriteLine(text);

    /// <summary>A document that ends with exactly one line end.</summary>
    public void Json(string document) => _output.WriteLine(document.TrimEnd());

    /// <summary>Bytes as they are, for a file or another program.</summary>
    public async Task BytesAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        if (!ReferenceEquals(_output, Console.Out))
        {
            await _output.WriteAsync(Encoding.Latin1.GetString(bytes.Span).AsMemory(), cancellation);
            return;
        }

        await _output.FlushAsync(cancellation);
        await using var output = Console.OpenStandardOutput();
        await output.WriteAsync(bytes, cancellation);
    }

    /// <summary>A table; cells are plain text, and <paramref name="style"/> may colour the one of a state.</summary>
    public void Table(string[] headers, IEnumerable<string[]> rows, Func<string, string?>? style = null)
    {
        var table = new Table { Border = IsTerminal ? TableBorder.Rounded : TableBorder.None, ShowHeaders = headers.Any(header => header.Length > 0) };
        foreach (var header in headers) table.AddColumn(new TableColumn(new Markup(Markup.Escape(header), new Style(decoration: Decoration.Bold))).NoWrap());
        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => style?.Invoke(cell) is { } colour ? new Markup($"[{colour}]{Markup.Escape(cell)}[/]") : new Markup(Markup.Escape(cell))));
        }

        Ansi.Write(table);
    }

    /// <summary>The colour of a state's name.</summary>
    public static string? ColourOf(string state) => state switch
    {
        "Ready" or "Busy" or "READY" or "Healthy" => "green",
        "Failed" or "Unhealthy" => "red",
        "Loading" or "Starting" or "Recovering" or "Draining" or "LOADING" or "UNLOADING" or "Partial Healthy" => "yellow",
        _ => null,
    };
}
