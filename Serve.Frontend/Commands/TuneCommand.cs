using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Commands.Bench;
using Serve.Frontend.Tuning;
using Serve.LoadGenerator.Sweeps;

namespace Serve.Frontend.Commands;

/// <summary><c>serve tune</c>: finds the best settings of a model on this machine.</summary>
internal sealed class TuneCommand
{
    private const int DefaultDelay = 10;

    private readonly Argument<string> _model = new("MODEL") { Description = "A model of the store: NAME, NAME/VERSION or an archive" };
    private readonly Option<string[]> _data = new("--data", "-d") { HelpName = "PATH", Description = "Files or folders to send, each file as one request, in turn", Arity = ArgumentArity.OneOrMore, Required = true };
    private readonly Option<TimeSpan?> _p99 = DurationOption.Create("--p99", "The most that the 99th percentile may be; the best is what answers most within it [default: no bound]");
    private readonly ServerFlags _server = ServerFlags.OfStore();
    private readonly Option<string?> _batchSizes = Sweep("--batch-sizes", "Batch sizes [default: 1:64:x2]");
    private readonly Option<string?> _instances = Sweep("--instances", "Instances in a worker [default: 1,2; 1,2,4 from 8 processors on]");
    private readonly Option<string?> _workers = Sweep("--workers", "Worker processes [default: 1,2]");
    private readonly Option<string?> _delays = Sweep("--delays", "batching: adaptive, or milliseconds of maxBatchDelay for delayed [default: adaptive,10]");
    private readonly Option<string?> _decodeThreads = Sweep("--decode-threads", "Decode threads in a worker; 0: by the machine [default: 0 and the number of processors]");
    private readonly Option<string?> _intraOpThreads = Sweep("--intra-op-threads", "ONNX Runtime's threads for one execution; 0: by the machine [default: 0, 1 and the number of processors]");
    private readonly Option<int?> _concurrency = new("--concurrency") { HelpName = "N", Description = "Clients of the load [default: what fills two batches of each instance, or fewer where --p99 needs it]" };
    private readonly Option<TimeSpan?> _window = DurationOption.Create("--window", "Length of a measuring window; twice as long for the last measurements [default: 1s]");
    private readonly Option<bool> _grid = new("--grid") { Description = "Measure every setting instead of searching" };
    private readonly Option<bool> _fresh = new("--fresh") { Description = "Forget what an earlier run has measured" };
    private readonly Option<string?> _results = new("--results") { HelpName = "FOLDER", Description = "Where measurements are kept for the next run [default: serve/tune in the user's data folder]" };
    private readonly Option<bool> _write = new("--write") { Description = "Write the best setting into the model's model-config.yaml" };
    private readonly Option<string?> _plots = new("--plots") { HelpName = "FOLDER", Description = "Write plots there, as SVG" };
    private readonly Option<bool> _json = new("--json") { Description = "Print the results as JSON instead of text" };

    public static Command Create()
    {
        var tune = new TuneCommand();
        tune._concurrency.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1) result.AddError("--concurrency: give a number from 1.");
        });
        var command = new DocumentedCommand("tune", "Finds the batch size, instances, workers, batching and threads with which a model answers most on this machine. It measures with a server of its own, on a copy of the configuration; a running server is not touched, but takes processors: tune on a quiet machine. Ctrl-C ends it with what there is, and the same command goes on from there.", """
            serve tune vit_s_16 --data photos --p99 200ms
            serve tune vit_s_16 --data photos --p99 200ms --write
            serve tune vit_l_16 --data photos --grid --batch-sizes 1,8,32 --workers 1,2,4 --instances 1 --delays adaptive --plots plots

            TIME: 50ms, 1.5s, 2m; a whole number without a unit is seconds.
            """)
        {
            tune._model, tune._data, tune._p99, tune._batchSizes, tune._instances, tune._workers, tune._delays, tune._decodeThreads, tune._intraOpThreads,
            tune._concurrency, tune._window, tune._grid, tune._fresh, tune._results, tune._write, tune._plots, tune._json,
        };
        tune._server.AddTo(command);
        command.SetAction((arguments, cancellation) => Task.Run(() => tune.Run(arguments, cancellation), cancellation));
        return command;
    }

    private static Option<string?> Sweep(string name, string description) => new(name) { HelpName = "SWEEP", Description = description };

    private int Run(ParseResult arguments, CancellationToken cancellation)
    {
        using var interruption = new Interruption();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, interruption.Token);
        using var unpacked = TuneFolder.CreateTemporary();
        var configuration = _server.Read(arguments).Configuration;
        var store = new ModelStore(configuration, unpacked.Path);
        var stored = store.Resolve(arguments.GetRequiredValue(_model));
        if (stored.Kind == StoredModelKind.OnnxFile) throw new CommandException(ExitCode.Usage, $"{stored.Url} is a single file without a configuration to tune; put it into a folder: {stored.Name}/{stored.Version}/model.onnx.");
        using var source = store.Open(stored, cancellation: either.Token);
        if (arguments.GetValue(_write) && source.IsTemporary) throw new CommandException(ExitCode.Usage, $"--write: {stored.Url} is an archive; tune it without --write, and make a new archive with the values that are printed.");

        var space = Space(arguments, source);
        var data = DataFiles.Read(arguments.GetRequiredValue(_data));
        var bound = arguments.GetValue(_p99)?.TotalMilliseconds;
        var window = arguments.GetValue(_window) ?? TimeSpan.FromSeconds(1);
        var how = string.Create(CultureInfo.InvariantCulture, $"turns/{window.Ticks}/{bound}/{arguments.GetValue(_concurrency)}");
        var results = TuneResultsFile.Open(arguments.GetValue(_results) ?? TuneResultsFile.DefaultFolder, source, data, how, arguments.GetValue(_fresh));
        var errors = arguments.InvocationConfiguration.Error;
        if (TuneFolder.RemoveLeftOvers(store.Root) is > 0 and var folders) errors.WriteLine($"Removed what killed tunings had left: {folders} folders.");
        if (results.Results.Count > 0) errors.WriteLine($"Going on with {results.Results.Count} measurements of an earlier run ({results.FilePath}); --fresh begins anew.");

        var isGrid = arguments.GetValue(_grid);
        var ranking = new TuneRanking(bound);
        TuneResult? best;
        TuneSession session;
        using (var stand = new TuneStand(source, configuration, store.Root, data, either.Token))
        {
            session = new TuneSession(results, new TuneMeter(stand, window, bound, arguments.GetValue(_concurrency)), errors, either.Token);
            try
            {
                if (isGrid) session.RunGrid(space);
                best = isGrid ? ranking.Best(session.Measured) : session.RunSearch(space, ranking, Now(source.Configuration));
            }
            catch (OperationCanceledException) when (either.IsCancellationRequested)
            {
                best = ranking.Best(session.Measured);
            }
        }

        var report = new TuneReport
        {
            Model = $"{source.Name}/{source.Version}",
            Data = string.Join(", ", arguments.GetRequiredValue(_data)),
            P99BoundMilliseconds = bound,
            GridSize = space.Count,
            IsWholeGrid = isGrid,
            WasInterrupted = either.IsCancellationRequested,
            Seconds = Math.Round(session.Measured.Sum(result => result.Seconds), 1),
            Best = best,
            IsBestWithinBound = best is not null && ranking.IsWithin(best),
            Results = session.Measured,
        };
        return Finish(arguments, report, source);
    }

    private int Finish(ParseResult arguments, TuneReport report, ModelSource source)
    {
        var screen = new Screen(arguments.InvocationConfiguration.Output);
        if (arguments.GetValue(_plots) is { } folder)
        {
            Directory.CreateDirectory(folder);
            foreach (var (file, plot) in TunePlots.Of(report)) File.WriteAllText(Path.Combine(folder, file), plot.ToSvg());
        }

        if (arguments.GetValue(_json)) screen.Json(JsonSerializer.Serialize(report, TuneJson.Default.TuneReport));
        else Show(screen, report);
        if (report.Best is not { } best) return report.WasInterrupted ? ExitCode.Interrupted : ExitCode.Failed;

        var changes = ConfigurationWriter.Changes(source.Configuration, best.Setting);
        var isText = !arguments.GetValue(_json);
        if (changes.Count == 0)
        {
            if (isText) screen.Line("The model's configuration says so already.");
            return report.IsBestWithinBound ? ExitCode.Success : ExitCode.Failed;
        }

        var isWritten = arguments.GetValue(_write) && report.IsBestWithinBound && !report.WasInterrupted;
        if (isWritten) Write(source, changes);
        if (isText)
        {
            screen.Line(isWritten ? "Written to its configuration:" : arguments.GetValue(_write) ? "For its configuration:" : "For its configuration (--write does it):");
            foreach (var (key, value) in changes) screen.Line($"  {key}: {value}");
        }

        if (arguments.GetValue(_write) && !isWritten) throw new CommandException(ExitCode.Failed, report.WasInterrupted ? "Nothing was written: the tuning was interrupted." : best?.Errors > 0 ? "Nothing was written: requests fail under each setting that was measured." : "Nothing was written: no setting is within the bound.");
        return report.IsBestWithinBound ? ExitCode.Success : ExitCode.Failed;
    }

    private static void Write(ModelSource source, IReadOnlyList<KeyValuePair<string, string>> changes)
    {
        var path = Path.Combine(source.Folder, source.Manifest?.ConfigFile ?? ModelConfigurationReader.FileName);
        try
        {
            ConfigurationWriter.Write(path, changes);
        }
        catch (NotSupportedException e)
        {
            throw new CommandException(ExitCode.Failed, $"{path} could not be changed: {e.Message}");
        }
    }

    private static void Show(Screen screen, TuneReport report)
    {
        // Each setting once, by its best measurement; the best throughput first. A final's come before glances, whose figures are of other minutes.
        var rows = report.Results.GroupBy(result => result.Setting).Select(same => same.Contains(report.Best) ? report.Best! : same.MaxBy(result => result.Effort)!)
            .OrderByDescending(result => ReferenceEquals(result, report.Best)).ThenByDescending(result => result.Effort).ThenByDescending(result => result.PerSecond).ToList();
        screen.Table(TuneTexts.Headers, rows.Select(result => TuneTexts.Row(result, report)));
        if (report.WasInterrupted) screen.Line("Interrupted: the same command goes on from here.");
        if (report.Best is not { } best)
        {
            screen.Line("Nothing could be measured.");
            return;
        }

        var bound = report.P99BoundMilliseconds is { } most ? string.Create(CultureInfo.InvariantCulture, $" within p99 {most:0.#} ms") : "";
        screen.Line(report.IsBestWithinBound
            ? string.Create(CultureInfo.InvariantCulture, $"Best{bound}: {TuneTexts.Describe(best.Setting)}: {best.PerSecond:#,0.##} answers/s, p99 {best.P99Milliseconds:0.#} ms.")
            : best.Errors > 0 ? $"Under no setting{bound} were all requests answered. Nearest: {TuneTexts.Describe(best.Setting)}, {TuneTexts.Errors(best)}."
            : string.Create(CultureInfo.InvariantCulture, $"No setting is{bound}. Nearest: {TuneTexts.Describe(best.Setting)}, p99 {best.P99Milliseconds:0.#} ms."));
        screen.Line($"What limits it: {TuneTexts.Bottleneck(best)}.");
        screen.Line(string.Create(CultureInfo.InvariantCulture, $"{rows.Count} of {report.GridSize} settings were measured, in {TuneSession.Time(report.Seconds)}."));
    }

    private static TuneSetting Now(ModelConfiguration now) => new(
        now.BatchSize, DefaultInstances.For(now, Environment.ProcessorCount), Math.Max(1, now.MinWorkers), now.Batching == BatchingMode.Delayed ? (int)now.MaxBatchDelay.TotalMilliseconds : 0, now.DecodeThreads, now.Execution.IntraOpThreads);

    private TuneSpace Space(ParseResult arguments, ModelSource source)
    {
        var processors = Environment.ProcessorCount;

        // A handler of the user's own has neither sessions nor decoding that these options would reach.
        var isOwn = HandlerName.Parse(source.Configuration.Handler ?? "", out _) is { NeedsModel: false };
        var isPicture = source.Configuration.Handler is "image_classifier" or "image_embedder";
        return new TuneSpace(new Dictionary<TuneDimension, IReadOnlyList<int>>
        {
            [TuneDimension.BatchSize] = Values(arguments, _batchSizes, "1:64:x2"),
            [TuneDimension.Instances] = Values(arguments, _instances, processors >= 8 ? "1,2,4" : "1,2"),
            [TuneDimension.Workers] = Values(arguments, _workers, "1,2"),
            [TuneDimension.Delay] = Values(arguments, _delays, $"adaptive,{DefaultDelay}"),
            [TuneDimension.DecodeThreads] = Values(arguments, _decodeThreads, isOwn || !isPicture ? "0" : $"0,{processors}"),
            [TuneDimension.IntraOpThreads] = Values(arguments, _intraOpThreads, isOwn ? "0" : processors == 1 ? "0,1" : $"0,1,{processors}"),
        });
    }

    private static List<int> Values(ParseResult arguments, Option<string?> option, string otherwise)
    {
        // 0 and adaptive stand for what is no number of a sweep.
        var parts = (arguments.GetValue(option) ?? otherwise).Split(',', StringSplitOptions.TrimEntries).ToLookup(part => part is "0" or "adaptive");
        try
        {
            var values = parts[false].SelectMany(SweepExpression.ParseCounts).Concat(parts[true].Any() ? [0] : []).Distinct().Order().ToList();
            if (values.Contains(0) && option.Name is ("--batch-sizes" or "--instances" or "--workers")) throw new FormatException("0 is not allowed.");
            return values;
        }
        catch (FormatException e)
        {
            throw new CommandException(ExitCode.Usage, $"{option.Name}: {e.Message}");
        }
    }
}
