using System.CommandLine;
using System.Globalization;
using Serve.Benchmarks;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;
using Serve.Benchmarks.Scenarios;
using Spectre.Console;

switch (args)
{
    case [BareKestrel.Verb, var fastPath]:
        await BareKestrel.RunAsync(fastPath);
        return 0;
    case [BareEcho.Verb]:
        await BareEcho.RunAsync();
        return 0;
    case [TraceSink.Verb]:
        await TraceSink.RunAsync();
        return 0;
    case [TextbookBatcher.Verb, var policy]:
        await TextbookBatcher.RunAsync(policy);
        return 0;
    case [BareOnnxRuntime.Verb, var model]:
        BareOnnxRuntime.Run(model);
        return 0;
    case [BarePictures.Verb, var model, var pictures, var batch, var intraOpThreads, var decodeThreads]:
        BarePictures.Run(model, pictures, new BarePictures.Plan(Number(batch), Number(intraOpThreads), Number(decodeThreads)));
        return 0;
}

IScenario[] scenarios = [new NoOpScenario(), BodyScenario.Medium, BodyScenario.Large, new PicturesScenario(), new FashionVitScenario(), new BatchingScenario(), new OverloadScenario(), new CancelScenario(), new IdleScenario(), new EfficiencyScenario(), new OverlapScenario(), new MemoryScenario(), new ThreadsScenario(), new AllocationScenario(), new TuneScenario(), new TuneVitScenario(), new OipScenario(), ObservabilityScenario.WithIdentity, ObservabilityScenario.WithNoOp];
string[] names = [.. scenarios.Select(scenario => scenario.Name)];
string[] usual = [.. scenarios.Where(scenario => !scenario.IsLong).Select(scenario => scenario.Name)];

var only = new Option<string[]>("--only") { Description = $"Which scenarios, separated by commas: {string.Join(", ", names)}; if it is not given, all but {string.Join(", ", names.Except(usual))}", HelpName = "NAMES" };
only.CustomParser = result => [.. result.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries))];
only.Validators.Add(result =>
{
    foreach (var name in result.Tokens.SelectMany(token => token.Value.Split(',')).Except(names)) result.AddError($"There is no scenario '{name}'; there are {string.Join(", ", names)}.");
});
var rounds = new Option<int>("--rounds") { Description = "Rounds of each scenario; medians are over them", DefaultValueFactory = _ => 5 };
var seconds = new Option<double>("--seconds") { Description = "How long one measurement of a round lasts", DefaultValueFactory = _ => 2 };
var rest = new Option<double>("--rest") { Description = "Seconds of rest before each round, for machines that others use too" };
var fastPathOption = new Option<string>("--fast-path") { Description = "The server's fastPath; noop measures both", DefaultValueFactory = _ => "inline" };
fastPathOption.AcceptOnlyFromAmong("pool", "inline");
var keep = new Option<bool>("--keep-environment") { Description = "Measure with the shell's DOTNET_… and SERVE_… variables, which are left out otherwise" };
var strict = new Option<bool>("--strict") { Description = "Exit with 1 when a bar is missed" };

var command = new RootCommand("Measures the built server beside what limits it, in interleaved rounds, and says which promises hold. Needs Linux and `make build`.")
{
    only, rounds, seconds, rest, fastPathOption, keep, strict,
};
command.SetAction(arguments =>
{
    var settings = new BenchmarkSettings(arguments.GetValue(only) is { Length: > 0 } chosen ? chosen : usual, Math.Max(1, arguments.GetValue(rounds)), arguments.GetValue(seconds), arguments.GetValue(rest), arguments.GetValue(fastPathOption)!);
    try
    {
        if (!arguments.GetValue(keep) && InheritedSettings.Remove() is { Count: > 0 } removed) AnsiConsole.WriteLine($"Left out of the environment: {string.Join(", ", removed)}.");
        return Measure(settings, arguments.GetValue(strict));
    }
    catch (BenchmarkException e)
    {
        Console.Error.WriteLine(e.Message);
        return 2;
    }
});
return await command.Parse(args).InvokeAsync();

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

int Measure(BenchmarkSettings settings, bool isStrict)
{
    if (!OperatingSystem.IsLinux()) throw new BenchmarkException("The benchmarks need Linux: /proc and epoll.");
    var repository = Repository.Find();
    _ = repository.Server;

    // A pipe has no width; tables must not be folded for it.
    if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = 240;
    var surroundings = Surroundings.Now();
    AnsiConsole.WriteLine(surroundings.ToString());
    if (surroundings.LoadAverage > surroundings.Processors) AnsiConsole.WriteLine("Others are using this machine: the figures will be worse than they should.");

    var report = new Report();
    foreach (var scenario in scenarios.Where(scenario => settings.Scenarios.Contains(scenario.Name)))
    {
        AnsiConsole.WriteLine();
        AnsiConsole.WriteLine(scenario.Title);
        scenario.Run(repository, settings, report);
        report.Print(scenario.Name);
    }

    AnsiConsole.WriteLine();
    AnsiConsole.WriteLine($"Saved as {Path.GetRelativePath(Environment.CurrentDirectory, new ReportFile(surroundings, settings, report.Figures, report.Omissions).Write(repository.Reports))}");
    return report.IsWithinBudgets && (report.Holds || !isStrict) ? 0 : 1;
}
