using System.Text.Json;
using System.Text.RegularExpressions;

namespace Serve.Tests.Monitoring;

/// <summary>What can be said of the dashboards without Prometheus or Grafana.</summary>
public sealed partial class DashboardTests
{
    public static TheoryData<string> Names => [.. Dashboard.All.Select(dashboard => dashboard.Name)];

    [Fact]
    public void There_are_the_four() => Assert.Equal(["device", "model", "overview", "torchserve"], Names.Select(name => name.Data));

    [Theory]
    [MemberData(nameof(Names))]
    public async Task It_asks_for_what_the_server_exposes(string name)
    {
        var names = (await MetricFamily.AllAsync()).Select(family => family.Name).Concat(["up", "ALERTS"]).Concat(PrometheusRules.Recorded).ToHashSet(StringComparer.Ordinal);
        var dashboard = Find(name);
        var asked = dashboard.Panels.SelectMany(panel => panel.Queries).Concat(dashboard.Variables.Select(variable => variable.Series ?? "")).SelectMany(Promql.Series).ToHashSet();
        Assert.All(asked, series => Assert.True(names.Contains(series) || names.Contains(MetricFamily.NameOf(series)), $"Nothing has {series}."));
        if (name == "torchserve") Assert.All(asked, series => Assert.DoesNotMatch("^serve_", series));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Its_panels_are_explained_and_have_units(string name) => Assert.All(Find(name).Panels.Where(panel => panel.Queries.Count > 0), panel =>
    {
        Assert.False(string.IsNullOrWhiteSpace(panel.Json.GetProperty("description").GetString()), panel.Title);
        Assert.False(string.IsNullOrWhiteSpace(panel.Json.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("unit").GetString()), panel.Title);
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Its_queries_follow_its_variables(string name)
    {
        var dashboard = Find(name);
        var declared = dashboard.Variables.Select(variable => variable.Name).ToHashSet(StringComparer.Ordinal);
        Assert.Superset(new HashSet<string>(["datasource", "instance", "model", "version"]), declared);
        Assert.Equal(declared, Variable().Matches(dashboard.Json.GetRawText()).Select(match => match.Groups[1].Value).Where(variable => !variable.StartsWith("__", StringComparison.Ordinal)).ToHashSet(StringComparer.Ordinal));
        Assert.All(dashboard.Panels.SelectMany(panel => panel.Queries).Where(query => !query.StartsWith("count(ALERTS", StringComparison.Ordinal)), query =>
        {
            // Every selector, so that no series of another server is among the chosen ones.
            Assert.Equal(Selector().Count(query), Instance().Count(query));
            Assert.Equal(Promql.Series(query).Count > 0, Selector().IsMatch(query));
        });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Its_panels_do_not_overlap(string name)
    {
        var places = Find(name).Panels.Where(panel => panel.Type != "row").Select(panel => (panel.Title, At: Place(panel.Json.GetProperty("gridPos")))).ToList();
        Assert.Equal(places.Count, places.Select(place => place.At).Distinct().Count());
        Assert.All(Find(name).Panels.Select(panel => panel.Json.GetProperty("id").GetInt32()).CountBy(id => id), id => Assert.Equal(1, id.Value));
        foreach (var (title, at) in places)
        {
            Assert.True(at.X + at.W <= 24, title);
            Assert.DoesNotContain(places, other => other.At != at && at.X < other.At.X + other.At.W && other.At.X < at.X + at.W && at.Y < other.At.Y + other.At.H && other.At.Y < at.Y + at.H);
        }
    }

    [Fact]
    public async Task A_version_that_is_ready_on_several_servers_is_shown_ready()
    {
        string[] states = ["idle", "loading", "ready", "recovering", "failed", "draining"];
        var queries = Dashboard.All.SelectMany(dashboard => dashboard.Panels).SelectMany(panel => panel.Queries).Where(query => query.Contains("state=\"draining\"} * 5", StringComparison.Ordinal)).ToList();
        Assert.True(queries.Count > 1);
        using var folder = new TemporaryFolder();
        var series = from instance in (string[])["a", "b", "c"] from state in states select $$"""      - {series: 'serve_model_state{instance="{{instance}}",model="m",version="1.0",state="{{state}}"}', values: '{{(state == "ready" ? 1 : 0)}}'}""";
        var cases = queries.Select(query => $$"""      - {expr: 'count(({{Variable().Replace(query, ".*")}}) != 2) or vector(0)', eval_time: 0s, exp_samples: [{labels: '{}', value: 0}]}""");
        var file = folder.Write("states.yml", "tests:\n  - interval: 1m\n    input_series:\n" + string.Join('\n', series) + "\n    promql_expr_test:\n" + string.Join('\n', cases) + "\n");

        var (code, output) = await Promtool.RunAsync("test", "rules", file);
        Assert.True(code == 0, output);
    }

    [Fact]
    public async Task They_are_what_Grafana_has_published()
    {
        Assert.SkipUnless(GrafanaSchema.IsInstalled, GrafanaSchema.HowToInstall);
        using var folder = new TemporaryFolder();
        var overview = await File.ReadAllTextAsync(Dashboard.All.Single(dashboard => dashboard.Name == "overview").File, TestContext.Current.CancellationToken);
        (string What, string Right, string Wrong)[] mistakes =
        [
            ("value", "\"placement\": \"bottom\"", "\"placement\": \"below\""),
            ("option", "\"showLegend\"", "\"showLegends\""),
            ("field option", "\"fillOpacity\"", "\"opacity\""),
            ("type", "\"type\": \"timeseries\"", "\"type\": \"graph\""),
            ("query", "\"expr\": \"sum(up", "\"query\": \"sum(up"),
            ("missing", "\"schemaVersion\": 42,", ""),
        ];
        var broken = mistakes.ToDictionary(mistake => mistake.What, mistake => folder.Write(mistake.What, new Regex(Regex.Escape(mistake.Right)).Replace(overview, mistake.Wrong, 1)));

        var faults = await GrafanaSchema.CheckAsync([.. Dashboard.All.Select(dashboard => dashboard.File), .. broken.Values]);
        Assert.DoesNotContain(faults, fault => !broken.ContainsValue(fault.File));
        Assert.All(broken, file => Assert.Contains(faults, fault => fault.File == file.Value));
    }

    private static Dashboard Find(string name) => Dashboard.All.Single(dashboard => dashboard.Name == name);

    private static (int X, int Y, int W, int H) Place(JsonElement place) => (place.GetProperty("x").GetInt32(), place.GetProperty("y").GetInt32(), place.GetProperty("w").GetInt32(), place.GetProperty("h").GetInt32());

    [GeneratedRegex(@"\$\{?(\w+)")]
    private static partial Regex Variable();

    [GeneratedRegex(@"\w\{[^}]*\}")]
    private static partial Regex Selector();

    [GeneratedRegex(@"instance=~""\$instance""")]
    private static partial Regex Instance();
}
