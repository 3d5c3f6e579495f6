using System.Text.RegularExpressions;

namespace Serve.Tests.Monitoring;

/// <summary>configs/prometheus: scrape configuration, recording rules and alerts.</summary>
public sealed partial class PrometheusRulesTests
{
    private static readonly string Runbooks = File.ReadAllText(Path.Combine(EndToEnd.Repository.Root, "docs", "runbooks.md"));

    [Fact]
    public async Task Prometheus_takes_the_configuration_and_the_rules()
    {
        var (code, output) = await Promtool.RunAsync("check", "config", Path.Combine(PrometheusRules.Folder, "prometheus.yml"));
        Assert.True(code == 0, output);
        foreach (var file in PrometheusRules.Files) Assert.Contains(Path.GetFileName(file), output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Alerts_fire_when_they_should_and_not_when_they_must_not()
    {
        var (code, output) = await Promtool.RunAsync(["test", "rules", .. PrometheusRules.CaseFiles]);
        Assert.True(code == 0, output);
    }

    [Fact]
    public void Every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_must_not()
    {
        var fires = PrometheusRules.Cases.Where(one => one.Expected > 0).Select(one => one.Alert).Distinct();
        var holdsStill = PrometheusRules.Cases.Where(one => one.Expected == 0).Select(one => one.Alert).Distinct();
        var alerts = PrometheusRules.Alerts.Select(alert => alert.Alert).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(alerts, fires.Order(StringComparer.Ordinal));
        Assert.Equal(alerts, holdsStill.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_alert_has_its_paragraph_in_the_runbooks_and_every_paragraph_its_alert()
    {
        Assert.Equal(PrometheusRules.Alerts.Select(alert => alert.Alert).Order(StringComparer.Ordinal), Heading().Matches(Runbooks).Select(heading => heading.Groups[1].Value).Order(StringComparer.Ordinal));
        Assert.All(PrometheusRules.Alerts, alert =>
        {
            Assert.Equal($"docs/runbooks.md#{alert.Alert.ToLowerInvariant()}", alert.Annotations["runbook_url"]);
            Assert.Contains(alert.Labels["severity"], (string[])["page", "ticket"]);
            Assert.All((string[])["summary", "description"], text => Assert.NotEmpty(alert.Annotations[text]));
        });
    }

    [Fact]
    public async Task The_rules_ask_for_what_the_server_exposes()
    {
        var names = (await MetricFamily.AllAsync()).Select(family => family.Name).Append("up").Concat(PrometheusRules.Recorded).ToHashSet(StringComparer.Ordinal);
        Assert.All(PrometheusRules.All, rule => Assert.All(Promql.Series(rule.Expr), series => Assert.True(names.Contains(series) || names.Contains(MetricFamily.NameOf(series)), $"{rule.Name} asks for {series}, which nothing has.")));
    }

    [GeneratedRegex("^## (Serve[A-Za-z]+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
