using System.CommandLine;
using System.Globalization;
using Serve.Frontend.Commands.Bench;
using Serve.LoadGenerator.Load;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.Reporting;
using Serve.LoadGenerator.Sweeps;
using Spectre.Console;

namespace Serve.Frontend.Commands;

/// <summary><c>serve bench</c>: the load generator.</summary>
internal sealed class BenchCommand
{
    private readonly ConnectionOptions _connection = new(readsMetrics: true);
    private readonly Argument<string[]> _models = new("MODEL") { Description = "Models to load, each NAME or NAME/VERSION; several share the load evenly", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string?> _mix = new("--mix") { HelpName = "SHARES", Description = "Models with their shares of the load, for example a=3,b=1" };
    private readonly Option<string?> _url = new("--url") { HelpName = "URL", Description = "Another server's inference address; with a path, everything is sent there and no MODEL is named. Its figures are read only with --metrics-address" };
    private readonly Option<string[]> _data = new("--data", "-d") { HelpName = "PATH", Description = "Files or folders to send, each file as one request, in turn; MODEL=PATH for one model of several [default: generated from the model's signature]", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string?> _concurrency = new("--concurrency") { HelpName = "SWEEP", Description = "Closed loop: clients that each wait for their answer; 16, or 1,4,16, or 1:8:1, or 1:64:x2 [default: 1:64:x4]" };
    private readonly Option<string?> _rate = new("--rate") { HelpName = "SWEEP", Description = "Open loop: requests that arrive per second, by chance, whatever becomes of those before; for example 50:400:50. Latency counts from the scheduled arrival" };
    private readonly Option<TimeSpan?> _slo = DurationOption.Create("--slo", "Answers within this time are good; counted by themselves");
    private readonly Option<TimeSpan?> _warmUp = DurationOption.Create("--warm-up", "How long each load runs before anything counts [default: 1s]");
    private readonly Option<TimeSpan?> _window = DurationOption.Create("--window", "Length of a window [default: 1s]");
    private readonly Option<int> _mostWindows = new("--max-windows") { HelpName = "N", Description = "The most windows of a load", DefaultValueFactory = _ => 10 };
    private readonly Option<double> _stability = new("--stability") { HelpName = "PERCENT", Description = "A load is measured when throughput and mean latency of its last three windows are within this of their mean", DefaultValueFactory = _ => 10 };
    private readonly Option<TimeSpan?> _duration = DurationOption.Create("--duration", "Measure each load exactly this long, instead of until windows agree");
    private readonly Option<TimeSpan?> _timeout = DurationOption.Create("--timeout", "An answer that takes longer is an error [default: 30s]");
    private readonly Option<int> _seed = new("--seed") { HelpName = "N", Description = "Decides the arrivals of --rate" };
    private readonly Option<int> _connections = new("--connections") { HelpName = "N", Description = "The most connections of --rate", DefaultValueFactory = _ => 1024 };
    private readonly Option<int> _threads = new("--threads") { HelpName = "N", Description = "Threads that send and receive; one is good for tens of thousands of requests per second", DefaultValueFactory = _ => 1 };
    private readonly Option<int> _dynamicSize = new("--dynamic-size") { HelpName = "N", Description = "Size of dynamic dimensions in generated tensors", DefaultValueFactory = _ => 16 };
    private readonly Option<string[]> _headers = new("--header", "-H") { HelpName = "HEADER", Description = "A header of each request, for example \"x-serve-timeout-ms: 100\"; goes before one that is sent anyway", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<string?> _output = new("--output", "-o") { HelpName = "FORMAT", Description = "json, csv or html (one file with its plots) instead of a table; beside it with --output-file" };
    private readonly Option<string?> _outputFile = new("--output-file") { HelpName = "FILE", Description = "Where to write --output; the file's ending decides where the format is not given" };
    private readonly Option<string[]> _failOver = new("--fail-over") { HelpName = "BOUND", Description = "End with 1 if a load is over it: p99=200ms (or mean, p50, p90, p95, max), errors=1%", Arity = ArgumentArity.ZeroOrMore };

    public static Command Create()
    {
        var bench = new BenchCommand();
        bench._output.AcceptOnlyFromAmong("json", "csv", "html");
        AtLeastOne(bench._mostWindows, bench._connections, bench._threads, bench._dynamicSize);
        var command = new DocumentedCommand("bench", "Loads a running server and measures it: throughput, latencies, errors, and where the time went by the server's own metrics. Ctrl-C ends it with what there is.", """
            serve bench fashion-vit --data docs/samples --concurrency 1:64:x2
            serve bench fashion-vit --rate 500:2000:500 --slo 50ms --output-file bench.html
            serve bench --mix small=3,large=1 --concurrency 16 --duration 30s --json
            serve bench vit --data photos --concurrency 8 --fail-over p99=200ms --fail-over errors=0%
            serve bench --url http://127.0.0.1:9000/predictions/other --data photo.jpg --concurrency 1,8,64

            TIME: 50ms, 1.5s, 2m; a whole number without a unit is seconds.
            """)
        {
            bench._models, bench._mix, bench._url, bench._data, bench._concurrency, bench._rate, bench._slo, bench._warmUp, bench._window, bench._mostWindows, bench._stability, bench._duration,
            bench._timeout, bench._seed, bench._connections, bench._threads, bench._dynamicSize, bench._headers, bench._output, bench._outputFile, bench._failOver,
        };
        bench._connection.AddTo(command);
        command.SetAction((arguments, cancellation) => Task.Run(() => bench.RunAsync(arguments, cancellation), cancellation));
        return command;
    }

    private static void AtLeastOne(params Option<int>[] options)
    {
        foreach (var option in options)
        {
            option.Validators.Add(result =>
            {
                if (result.GetValueOrDefault<int>() < 1) result.AddError($"{option.Name}: give a number from 1.");
            });
        }
    }

    private async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var (kind, loads) = Loads(arguments);
        var bounds = (arguments.GetValue(_failOver) ?? []).Select(FailCondition.Parse).ToList();
        var format = Format(arguments);
        using var interruption = new Interruption();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, interruption.Token);
        var (targets, data, url) = await TargetsAsync(arguments, either.Token);
        var options = new LoadOptions
        {
            Server = BenchSession.EndPointOf(url),
            Targets = targets,
            Seed = arguments.GetValue(_seed),
            MostConnections = arguments.GetValue(_connections),
            Threads = arguments.GetValue(_threads),
            Timeout = arguments.GetValue(_timeout) ?? TimeSpan.FromSeconds(30),
            Objective = arguments.GetValue(_slo),
        };
        BenchSession.Try(options, either.Token);
        either.Token.ThrowIfCancellationRequested();

        // Another server's figures are not those of the server that the configuration means.
        var hasMetrics = arguments.GetValue(_url) is null || _connection.HasFlag(arguments, "metricsAddress");
        using var session = new BenchSession(options, Measurement(arguments), hasMetrics ? _connection.Addresses(arguments).Metrics : null);
        var report = new BenchReport
        {
            At = DateTimeOffset.UtcNow,
            Url = url.GetLeftPart(url.PathAndQuery == "/" ? UriPartial.Authority : UriPartial.Path),
            Targets = [.. targets.Select(target => target.Name)],
            Data = data,
            Load = kind,
            ObjectiveMilliseconds = options.Objective?.TotalMilliseconds,
            Points = [],
        };
        var screen = new Screen(arguments.InvocationConfiguration.Output);
        var errors = arguments.InvocationConfiguration.Error;
        var isTable = format is null || arguments.GetValue(_outputFile) is not null;
        if (isTable) screen.Line($"{string.Join(", ", targets.Select(target => target.Name))} at {report.Url}, {data}");
        report = Measure(session, report, loads, screen.IsTerminal && isTable ? screen : null, errors, either.Token);
        await WriteAsync(arguments, screen, report, format, isTable);

        var violations = bounds.SelectMany(bound => bound.Violations(report)).ToList();
        foreach (var violation in violations) await errors.WriteLineAsync(violation);
        return violations.Count > 0 ? ExitCode.Failed : ExitCode.Success;
    }

    private static BenchReport Measure(BenchSession session, BenchReport report, IReadOnlyList<double> loads, Screen? live, TextWriter errors, CancellationToken cancellation)
    {
        if (live is null)
        {
            return session.Run(report, loads, (soFar, load, windows) =>
            {
                if (windows is null) errors.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{soFar.Load} {load:0.##}: {soFar.Points[^1].PerSecond:#,0.##} answers/s, p99 {soFar.Points[^1].P99Milliseconds:0.##} ms"));
            }, cancellation);
        }

        var table = new Table { Border = TableBorder.Rounded };
        foreach (var header in BenchTables.Headers(report)) table.AddColumn(header);

        // The table that stays is printed at the end, with everything that is known then.
        return live.Ansi.Live(table).AutoClear(true).Start(view => session.Run(report, loads, (soFar, load, windows) =>
        {
            var isNew = table.Rows.Count == soFar.Points.Count - (windows is null ? 1 : 0);
            if (!isNew) table.Rows.RemoveAt(table.Rows.Count - 1);
            table.AddRow((windows is null ? BenchTables.Row(soFar, soFar.Points[^1]) : BenchTables.Row(soFar, load, windows)).Select(cell => new Markup(Markup.Escape(cell))));
            view.Refresh();
        }, cancellation));
    }

    private async Task WriteAsync(ParseResult arguments, Screen screen, BenchReport report, string? format, bool isTable)
    {
        if (isTable) BenchTables.Show(screen, report);
        if (format is null) return;
        var document = format switch { "json" => report.ToJson(), "csv" => BenchCsv.Write(report), _ => BenchHtml.Write(report) };
        if (arguments.GetValue(_outputFile) is not { } file)
        {
            screen.Json(document);
            return;
        }

        await File.WriteAllTextAsync(file, document);
        screen.Line($"Written to {file}");
    }

    private (string Kind, IReadOnlyList<double> Loads) Loads(ParseResult arguments)
    {
        var (concurrency, rate) = (arguments.GetValue(_concurrency), arguments.GetValue(_rate));
        if (concurrency is not null && rate is not null) throw new CommandException(ExitCode.Usage, "Give --concurrency or --rate, not both.");
        try
        {
            return rate is not null ? ("rate", SweepExpression.Parse(rate)) : ("concurrency", [.. SweepExpression.ParseCounts(concurrency ?? "1:64:x4").Select(count => (double)count)]);
        }
        catch (FormatException e)
        {
            throw new CommandException(ExitCode.Usage, $"{(rate is not null ? "--rate" : "--concurrency")}: {e.Message}");
        }
    }

    private MeasurementOptions Measurement(ParseResult arguments) => new()
    {
        WarmUp = arguments.GetValue(_warmUp) ?? TimeSpan.FromSeconds(1),
        Window = arguments.GetValue(_window) ?? TimeSpan.FromSeconds(1),
        MostWindows = arguments.GetValue(_mostWindows),
        Tolerance = arguments.GetValue(_stability) / 100,
        Duration = arguments.GetValue(_duration),
    };

    private string? Format(ParseResult arguments)
    {
        if (_connection.Json(arguments)) return "json";
        if (arguments.GetValue(_output) is { } format) return format;
        if (arguments.GetValue(_outputFile) is not { } file) return null;
        var ending = Path.GetExtension(file).ToLowerInvariant();
        return ending is ".json" or ".csv" or ".html" ? ending[1..]
            : throw new CommandException(ExitCode.Usage, $"--output-file: the ending of {file} does not say a format; give --output json, csv or html.");
    }

    private async Task<(IReadOnlyList<LoadTarget> Targets, string Data, Uri Url)> TargetsAsync(ParseResult arguments, CancellationToken cancellation)
    {
        List<ModelShare> models = [.. (arguments.GetValue(_models) ?? []).Select(model => ModelShare.Parse(model)), .. ModelShare.ParseMix(arguments.GetValue(_mix) ?? "")];
        var headers = Headers(arguments);
        var paths = arguments.GetValue(_data) ?? [];
        var server = _connection.Addresses(arguments);
        if (!Uri.TryCreate(arguments.GetValue(_url) ?? server.Inference, UriKind.Absolute, out var url)) throw new CommandException(ExitCode.Usage, $"--url: {arguments.GetValue(_url)} is no URL; give http://HOST:PORT or http://HOST:PORT/PATH.");
        if (arguments.GetValue(_url) is not null && url.PathAndQuery != "/")
        {
            if (models.Count > 0) throw new CommandException(ExitCode.Usage, "--url with a path says where everything is sent: name no MODEL beside it.");
            if (paths.Length == 0) throw new CommandException(ExitCode.Usage, "--url with a path needs --data.");
            return ([BenchSession.Target(url.AbsolutePath, 1, url, DataFiles.Read(paths), headers)], string.Join(", ", paths), url);
        }

        if (models.Count == 0) throw new CommandException(ExitCode.Usage, "Name a MODEL, or several with --mix.");
        if (models.GroupBy(model => model.Label).FirstOrDefault(group => group.Count() > 1) is { } twice) throw new CommandException(ExitCode.Usage, $"{twice.Key} is named twice; give shares with --mix.");
        var targets = new List<LoadTarget>();
        var descriptions = new List<string>();
        foreach (var model in models)
        {
            var own = paths.Where(path => path.StartsWith(model.Label + "=", StringComparison.Ordinal)).Select(path => path[(model.Label.Length + 1)..]).ToList();
            if (own.Count == 0) own = [.. paths.Where(path => !models.Any(other => path.StartsWith(other.Label + "=", StringComparison.Ordinal)))];
            var (bodies, description) = own.Count > 0 ? (DataFiles.Read(own), string.Join(", ", own)) : await GenerateAsync(arguments, model, cancellation);
            targets.Add(BenchSession.Target(model.Label, model.Weight, new Uri(url, model.Path), bodies, headers));
            descriptions.Add(description);
        }

        return (targets, string.Join("; ", descriptions.Distinct()), url);
    }

    private async Task<(IReadOnlyList<RequestBody> Bodies, string Description)> GenerateAsync(ParseResult arguments, ModelShare model, CancellationToken cancellation)
    {
        if (arguments.GetValue(_url) is not null && !_connection.HasFlag(arguments, "managementAddress"))
            throw new CommandException(ExitCode.Usage, $"--url needs --data, or --management-address of that server, which says what {model.Name} takes.");
        using var client = _connection.Connect(arguments);
        var (_, versions) = await client.DescribeAsync(model.Name, model.Version, cancellation);
        var version = versions.FirstOrDefault(version => version.DefaultVersion) ?? versions[0];
        return (GeneratedData.For(version, arguments.GetValue(_dynamicSize)), GeneratedData.Describe(version));
    }

    private List<KeyValuePair<string, string>> Headers(ParseResult arguments)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var header in arguments.GetValue(_headers) ?? [])
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || header.Any(char.IsControl) || header[..colon].Any(letter => !char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_'))) throw new CommandException(ExitCode.Usage, $"--header: '{header}' is no header; give \"NAME: VALUE\".");
            var name = header[..colon].Trim();
            if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) || name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase)) throw new CommandException(ExitCode.Usage, $"--header: {name} is decided by what is sent; leave it out.");
            headers.Add(new(name, header[(colon + 1)..].Trim()));
        }

        // Not to another server, which could keep it; and one that was given goes before.
        if (arguments.GetValue(_url) is null && !headers.Exists(static header => header.Key.Equals("Authorization", StringComparison.OrdinalIgnoreCase)) && _connection.Credentials(arguments).Token is { } token)
        {
            if (token.Any(char.IsControl)) throw new CommandException(ExitCode.Usage, "The token has letters that an HTTP header cannot carry.");
            headers.Add(new("Authorization", $"Bearer {token}"));
        }

        return headers;
    }
}
