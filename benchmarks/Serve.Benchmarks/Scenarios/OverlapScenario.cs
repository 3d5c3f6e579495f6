using System.Globalization;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Reporting;
using Serve.Worker.Execution;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// Whether decoding hides behind execution: vit_ti_16 with JPEGs so large that decoding one takes as long as executing it,
/// against what decoding and executing reach when both run side by side on this machine without waiting for each other.
/// </summary>
internal sealed class OverlapScenario : IScenario
{
    private const string Model = "vit_ti_16";
    private const int Batch = 8;
    private const int Clients = 32;
    private const int FirstSide = 1000;

    private static readonly TimeSpan Glance = TimeSpan.FromSeconds(2);

    public string Name => "overlap";

    public string Title => "vit_ti_16, JPEGs as slow to decode as to execute";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        var plan = new BarePictures.Plan(Batch, CpuBudget.IntraOpThreads(1, 1), CpuBudget.DecodeThreads(1));
        using var store = TemporaryStore.WithCreated(Model);
        var side = SideAsSlowAsExecution(repository, store, plan);
        using var pictures = PictureFolder.Photos(repository, side, side * 3 / 4);
        using var bare = new BarePictures(store.ModelFile(Model), pictures.Path, plan);
        using var serve = new PictureServer(repository, settings, store, Model, $"handler: image_classifier\nbatchSize: {Batch}\nminWorkers: 1\nmaxWorkers: 1\n", pictures.Files, Clients);
        bare.Run(BarePictures.Work.Overlapped, Glance);

        var duration = settings.Duration * 2;
        var rounds = new List<Round>();
        foreach (var _ in settings.EachRound())
        {
            rounds.Add(new Round(
                serve.Run(duration),
                bare.Run(BarePictures.Work.SideBySide, duration),
                bare.Run(BarePictures.Work.Overlapped, duration).ExecutedPerSecond,
                bare.Run(BarePictures.Work.InTurns, duration).ExecutedPerSecond,
                bare.Run(BarePictures.Work.Decode, duration).DecodedPerSecond,
                bare.Run(BarePictures.Work.Execute, duration).ExecutedPerSecond));
        }

        void Figure(string name, string unit, Bar bar, Func<Round, double> value) => report.Add(Name, name, unit, bar, [.. rounds.Select(value)]);
        Figure("ratio to the slower of both side by side", "", Bar.AtLeast(0.90), round => round.Serve / Math.Min(round.SideBySide.DecodedPerSecond, round.SideBySide.ExecutedPerSecond));
        Figure("Serve, one worker", "images/s", Bar.None, round => round.Serve);
        Figure("side by side: decoding", "images/s", Bar.None, round => round.SideBySide.DecodedPerSecond);
        Figure("side by side: executing", "images/s", Bar.None, round => round.SideBySide.ExecutedPerSecond);
        Figure("bare loop, decoding while it executes", "images/s", Bar.None, round => round.Overlapped);
        Figure("bare loop, in turns", "images/s", Bar.None, round => round.InTurns);
        Figure(string.Create(CultureInfo.InvariantCulture, $"decoding alone, {side}x{side * 3 / 4}, {plan.DecodeThreads} threads"), "images/s", Bar.None, round => round.Decode);
        Figure(string.Create(CultureInfo.InvariantCulture, $"executing alone, {plan.IntraOpThreads} threads"), "images/s", Bar.None, round => round.Execute);
    }

    // While both run: on a machine with few cores each slows the other down.
    private static int SideAsSlowAsExecution(Repository repository, TemporaryStore store, BarePictures.Plan plan)
    {
        var side = FirstSide;
        for (var i = 0; i < 2; i++)
        {
            using var pictures = PictureFolder.Photos(repository, side, side * 3 / 4);
            using var bare = new BarePictures(store.ModelFile(Model), pictures.Path, plan);
            var rates = bare.Run(BarePictures.Work.SideBySide, Glance);
            side = (int)Math.Clamp(side * Math.Sqrt(rates.DecodedPerSecond / rates.ExecutedPerSecond), 300, 4000) / 16 * 16;
        }

        return side;
    }

    private sealed record Round(double Serve, BarePictures.Rates SideBySide, double Overlapped, double InTurns, double Decode, double Execute);
}
