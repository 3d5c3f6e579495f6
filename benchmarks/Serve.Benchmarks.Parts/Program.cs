using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Exporters.Json;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Serve.Benchmarks;
using Serve.Benchmarks.Parts;

// BenchmarkDotNet's own options: --filter '*Frame*', --list flat, --job medium; without them everything, in short.
var config = ManualConfig.CreateEmpty()
    .AddLogger(ConsoleLogger.Default)
    .AddColumnProvider(DefaultColumnProviders.Instance)
    .HideColumns("Job", "Gen0", "Gen1", "Gen2", "IterationCount", "LaunchCount", "WarmupCount")
    .WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(40))
    .AddDiagnoser(MemoryDiagnoser.Default)
    .AddExporter(MarkdownExporter.GitHub, JsonExporter.Brief)
    .WithArtifactsPath(Path.Combine(Repository.Find().Root, "artifacts", "bench-parts"));
if (!args.Any(argument => argument is "--job" or "-j")) config.AddJob(Job.ShortRun);
string[] chosen = args.Any(argument => argument is "--filter" or "-f" or "--list" or "--help" or "--allCategories" or "--anyCategories") ? args : [.. args, "--filter", "*"];
var summaries = BenchmarkSwitcher.FromAssembly(typeof(FrameBenchmarks).Assembly).Run(chosen, config);

// One that could not be built or has thrown is a failure of the run.
return summaries.Any(summary => summary.HasCriticalValidationErrors || summary.Reports.Any(report => !report.Success)) ? 1 : 0;
