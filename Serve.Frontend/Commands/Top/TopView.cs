using System.Globalization;
using Serve.Management.Overview;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Serve.Frontend.Commands.Top;

/// <summary>Draws an overview for a terminal of a width; 80 columns show everything.</summary>
internal static class TopView
{
    private const int BarCells = 5;
    private const int MostErrors = 5;

    /// <summary>What is drawn.</summary>
    /// <param name="overview">The overview.</param>
    /// <param name="order">The order of versions.</param>
    /// <param name="width">Columns.</param>
    /// <param name="footer">A last line; null: none.</param>
    public static IRenderable Draw(OverviewBody overview, TopOrder order, int width, string? footer = null)
    {
        var rows = TopRow.Of(overview, order);
        List<IRenderable> parts = [Head(overview), Totals(overview), Devices(overview), new Text("")];
        parts.Add(rows.Count == 0 ? new Text("No models are registered. Register one with: serve register NAME") : Versions(rows, width));
        if (rows.Exists(static row => row.Version.Workers.Count > 0)) parts.AddRange([new Text(""), Workers(rows, width)]);
        if (Errors(rows) is { Count: > 0 } errors) parts.AddRange([new Text(""), .. errors]);
        if (footer is not null) parts.AddRange([new Text(""), new Text(footer, new Style(decoration: Decoration.Dim)).Overflow(Overflow.Ellipsis)]);
        return new Rows(parts);
    }

    private static Markup Head(OverviewBody overview) =>
        new($"[bold {Screen.ColourOf(overview.Health) ?? "default"}]{Markup.Escape(overview.Health)}[/]  serve {Markup.Escape(overview.Version)}, up {Age(TimeSpan.FromSeconds(overview.UptimeSeconds))}, {Markup.Escape(overview.Time.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture))}");

    private static Markup Totals(OverviewBody overview)
    {
        var errors = overview.ErrorsPerSecond > 0 ? "red" : "default";
        return new Markup($"[bold]{Rate(overview.RequestsPerSecond)}[/] requests/s, [{errors}]{Rate(overview.ErrorsPerSecond)}[/] errors/s, {Rate(overview.ClientErrorsPerSecond)} client errors/s\n"
            + $"p50 {Time(overview.P50Ms)} ms, p90 {Time(overview.P90Ms)} ms, p99 {Time(overview.P99Ms)} ms, {overview.InFlight} in flight, {overview.Queue} waiting");
    }

    private static Rows Devices(OverviewBody overview) => new(overview.Devices.Select(device => new Markup(
        $"{Markup.Escape(device.Device)} {Bar(device.UtilizationRatio)} {Markup.Escape(device.Name)}"
        + (device.MemoryUsedBytes is { } used && device.MemoryTotalBytes is { } total ? $", {ModelTables.Bytes(used)} of {ModelTables.Bytes(total)}" : "")
        + (device.PowerWatts is { } watts ? $", {watts.ToString("0", CultureInfo.InvariantCulture)} W" : ""))));

    private static Table Versions(List<TopRow> rows, int width) => TopTable.Make(
        [("Model", false), ("State", false), ("Req/s", true), ("Err/s", true), ("p50 ms", true), ("p99 ms", true), ("Queue", true), ("Batch", true), ("Headroom", false)],
        [.. rows.Select(static row => (TopCell[])
        [
            new(row.Name + (row.Version.IsDefault ? "*" : "")),
            State(row.Version.State.ToString()),
            new(Rate(row.Version.RequestsPerSecond)),
            new(Rate(row.Version.ErrorsPerSecond), row.Version.ErrorsPerSecond > 0 ? "red" : null),
            new(Time(row.Version.P50Ms)),
            new(Time(row.Version.P99Ms)),
            new(row.Version.Queue.ToString(CultureInfo.InvariantCulture)),
            new(row.Version.MeanBatch is { } mean ? string.Create(CultureInfo.InvariantCulture, $"{mean:0.#}/{row.Version.BatchSize}") : $"-/{row.Version.BatchSize}"),
            Headroom(row.Version.HeadroomRatio),
        ])],
        shrinks: 0,
        width);

    private static Table Workers(List<TopRow> rows, int width)
    {
        var hasDeviceMemory = rows.Exists(static row => row.Version.Workers.Any(static worker => worker.DeviceMemoryBytes is not null));
        List<(string, bool)> columns = [("Worker", false), ("Model", false), ("State", false), ("Pid", true), ("Device", false), ("Memory", true), ("Busy", true), ("Rows", true), ("Restarts", true)];
        if (hasDeviceMemory) columns.Insert(6, ("On GPU", true));
        var cells = rows.SelectMany(static row => row.Version.Workers.Select(worker => (row.Name, worker))).Select(row =>
        {
            var worker = row.worker;
            List<TopCell> line =
            [
                new(worker.Id),
                new(row.Name),
                State(worker.State.ToString()),
                new(worker.Pid?.ToString(CultureInfo.InvariantCulture) ?? "-"),
                new(worker.Device ?? "-"),
                new(Bytes(worker.MemoryBytes)),
                new(Percent(worker.DeviceBusyRatio)),
                new(worker.InFlight.ToString(CultureInfo.InvariantCulture)),
                new(worker.Restarts.ToString(CultureInfo.InvariantCulture)),
            ];
            if (hasDeviceMemory) line.Insert(6, new(Bytes(worker.DeviceMemoryBytes)));
            return line.ToArray();
        });
        return TopTable.Make(columns, [.. cells], shrinks: 1, width);
    }

    private static List<IRenderable> Errors(List<TopRow> rows) =>
    [
        .. rows.Where(static row => row.Version.LastError is not null).OrderByDescending(static row => row.Version.LastError!.Time).Take(MostErrors)
            .Select(static row => new Text(
                string.Create(CultureInfo.InvariantCulture, $"{row.Version.LastError!.Time.ToLocalTime():HH:mm:ss} {row.Name}: {row.Version.LastError.Message}"), new Style(Color.Yellow))),
    ];

    private static TopCell State(string state) => new(state, Screen.ColourOf(state));

    private static TopCell Headroom(double? ratio) => ratio is { } share
        ? new($"{Cells(share)} {Percent(share),4}", share < 0.1 ? "red" : share < 0.3 ? "yellow" : "green")
        : new($"{Cells(0)}    -");

    private static string Bar(double? ratio) => ratio is { } share
        ? $"[{(share > 0.9 ? "red" : share > 0.7 ? "yellow" : "green")}]{Cells(share)}[/] {Percent(share),4}"
        : $"{Cells(0)}    -";

    private static string Cells(double share)
    {
        var full = (int)Math.Round(Math.Clamp(share, 0, 1) * BarCells, MidpointRounding.AwayFromZero);
        return new string('■', full) + new string('·', BarCells - full);
    }

    private static string Bytes(long? bytes) => bytes is { } known ? ModelTables.Bytes(known) : "-";

    private static string Percent(double? ratio) => ratio is { } share ? string.Create(CultureInfo.InvariantCulture, $"{(int)Math.Round(share * 100)}%") : "-";

    private static string Rate(double perSecond) => perSecond.ToString(perSecond is > 0 and < 100 ? "0.0" : "#,0", CultureInfo.InvariantCulture);

    private static string Time(double? milliseconds) => milliseconds switch
    {
        null => "-",
        < 10 => milliseconds.Value.ToString("0.00", CultureInfo.InvariantCulture),
        < 1000 => milliseconds.Value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => milliseconds.Value.ToString("#,0", CultureInfo.InvariantCulture),
    };

    private static string Age(TimeSpan time) => time switch
    {
        { TotalMinutes: < 1 } => $"{(int)time.TotalSeconds} s",
        { TotalHours: < 1 } => $"{time.Minutes} min {time.Seconds} s",
        { TotalDays: < 1 } => $"{time.Hours} h {time.Minutes} min",
        _ => $"{(int)time.TotalDays} d {time.Hours} h",
    };
}
