using System.Text.Json;
using System.Text.RegularExpressions;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Monitoring;

/// <summary>A real Prometheus evaluates every query of the dashboards and every rule over a real server under load.</summary>
public sealed partial class PrometheusTests : IClassFixture<MonitoredServer>
{
    private const string HowToInstall = "Prometheus is not installed (Debian's package prometheus).";

    // Grafana takes four scrape intervals; and a load that comes in bursts.
    private const string Range = "10s";

    private readonly MonitoredServer _monitored;

    public PrometheusTests(MonitoredServer monitored, ITestOutputHelper output)
    {
        _monitored = monitored;
        monitored.Server.ShowLogs(output);
    }

    private PrometheusProcess Prometheus => _monitored.Prometheus!;

    public static TheoryData<string> Dashboards => [.. Dashboard.All.Select(dashboard => dashboard.Name)];

    [Theory]
    [MemberData(nameof(Dashboards))]
    public async Task Every_panels_query_returns_data(string name)
    {
        Assert.SkipWhen(_monitored.Prometheus is null, HowToInstall);
        await WaitForLoadAsync();
        var dashboard = Dashboard.All.Single(dashboard => dashboard.Name == name);

        // The Model dashboard shows one model, the others all.
        var chosen = new Dictionary<string, string> { ["instance"] = Regex.Escape(Prometheus.Target).Replace(@"\", @"\\", StringComparison.Ordinal), ["model"] = name == "model" ? "boots" : ".*", ["version"] = name == "model" ? @"1\\.0" : ".*", ["device"] = ".*", ["__rate_interval"] = Range };
        var queries = dashboard.Panels.SelectMany(panel => panel.Queries).Select(query => Variable().Replace(query, variable => chosen[variable.Groups[1].Value])).Where(query => !IsOfGpus(query));

        // Ten seconds into which nothing fell, because something held the machine up, pass. Asked again is only what had no data.
        await Eventually.BecomesAsync("each query returns data", async () => string.Join('\n', queries = await EmptyAsync(queries)), empty => empty.Length == 0);

        foreach (var variable in dashboard.Variables.Where(variable => variable.Series is not null))
        {
            var series = Variable().Replace(variable.Series!, variable => chosen[variable.Groups[1].Value]);
            if (!IsOfGpus(series)) Assert.Contains(await Prometheus.QueryAsync(series), one => one.GetProperty("metric").TryGetProperty(variable.Label, out _));
        }

        async Task<List<string>> EmptyAsync(IEnumerable<string> some)
        {
            List<string> empty = [];
            foreach (var query in some)
            {
                if (!await HasDataAsync(query)) empty.Add(query);
            }

            return empty;
        }
    }

    [Fact]
    public async Task Every_rule_is_evaluated_and_what_it_asks_for_is_there()
    {
        Assert.SkipWhen(_monitored.Prometheus is null, HowToInstall);
        await WaitForLoadAsync();
        foreach (var rule in PrometheusRules.All)
        {
            // Alerts are mostly silent; recorded series are there, after one evaluation.
            var values = await Prometheus.QueryAsync(rule.Expr);
            if (rule.Record.Length > 0 && !IsOfGpus(rule.Expr))
            {
                Assert.True(values.Count > 0, rule.Name);
                Assert.NotEmpty(await Prometheus.QueryAsync(rule.Record));
            }

            foreach (var series in Promql.Series(rule.Expr).Where(series => !MetricFamily.OfGpus.Contains(series))) Assert.True((await Prometheus.QueryAsync($"count({series})")).Count > 0, $"{rule.Name}: nothing has {series}.");
        }

        var rules = await Prometheus.RulesAsync();
        Assert.Equal(PrometheusRules.All.Select(rule => rule.Name).Order(StringComparer.Ordinal), rules.Select(rule => rule.Name).Order(StringComparer.Ordinal));
        Assert.All(rules, rule => Assert.Equal(("ok", ""), (rule.Health, rule.Error)));
    }

    [Fact]
    public async Task What_happens_here_raises_its_alerts_and_no_others()
    {
        Assert.SkipWhen(_monitored.Prometheus is null, HowToInstall);
        await WaitForLoadAsync();
        await Eventually.BecomesAsync("the crash loop fires", () => Prometheus.QueryAsync("""ALERTS{alertname="ServeWorkerCrashLoop",alertstate="firing",model="poisoned"}"""), alerts => alerts.Count == 1);

        // These wait for their time to pass.
        HashSet<string> expected = ["ServeTokenExpiresSoon", "ServeRequestsRefused", "ServeDeadlinesMissed", "ServeErrorBudgetBurnsFast"];
        var pending = await Eventually.BecomesAsync(string.Join(", ", expected), () => InAsync("pending"), expected.IsSubsetOf);
        Assert.False(pending.Overlaps(["ServeDown", "ServeCertificateExpiresSoon", "ServeDeviceMemoryNearlyFull", "ServeUnauthorizedRequests"]), string.Join(", ", pending));
        Assert.Equal(["ServeWorkerCrashLoop"], await InAsync("firing"));

        async Task<HashSet<string>> InAsync(string state) => [.. (await Prometheus.RulesAsync()).Where(rule => rule.State == state).Select(rule => rule.Name)];
    }

    /// <summary>Everything that shall happen has happened, within the last scrapes, and the rules were evaluated after it.</summary>
    private async Task WaitForLoadAsync()
    {
        string[] happened =
        [
            $$"""rate(serve_requests_total{model="boots",code="200"}[{{Range}}])""", $$"""rate(serve_response_cache_hits_total[{{Range}}])""",
            """serve_rejected_total{model="crowded",reason="queue_full"}""", """serve_rejected_total{model="crowded",reason="deadline"}""", """serve_expired_total{model="stuck",where="running"}""",
            """sum(serve_worker_deaths_total{model="poisoned"}) > 3""", """serve_batch_cost_mean_seconds{model="boots",rows="1"}""", """model:serve_refused:ratio_rate5m{model="crowded"}""",
            """rate(serve_worker_rows_total{model="boots"}[10s])""", """HandlerTime{ModelName="boots"}""",
        ];
        foreach (var what in happened) await Eventually.BecomesAsync(what, () => Prometheus.IsAsync(what), holds => holds);
    }

    // A quantile or a share of nothing is NaN, and no data; but here is no handler that answers in parts.
    private async Task<bool> HasDataAsync(string query)
    {
        var values = await Prometheus.QueryAsync(query);
        return values.Count > 0 && (!values.All(IsNaN) || query.Contains("serve_first_part_seconds", StringComparison.Ordinal));
    }

    private static bool IsNaN(JsonElement series) => series.GetProperty("value")[1].GetString() == "NaN";

    private static bool IsOfGpus(string query) => Promql.Series(query).Overlaps(MetricFamily.OfGpus);

    [GeneratedRegex(@"\$(\w+)")]
    private static partial Regex Variable();
}
