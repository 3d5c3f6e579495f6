using System.Globalization;
using System.Text.RegularExpressions;
using Serve.Core.Configuration;
using YamlDotNet.RepresentationModel;

namespace Serve.Tests.Deployment;

/// <summary>The Helm chart: its objects are Kubernetes', they fit together, and the server understands its configuration.</summary>
public sealed partial class ChartTests : IClassFixture<ChartRenders>
{
    private readonly ChartRenders _renders;

    public ChartTests(ChartRenders renders)
    {
        Assert.SkipUnless(Kubernetes.IsInstalled, Kubernetes.HowToInstall);
        _renders = renders;
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Names => [.. ChartRenders.Names];

    [Fact]
    public async Task Objects_have_the_published_schemas() => Assert.Equal("", await Kubernetes.CheckAsync([.. _renders.Files]));

    [Fact]
    public async Task The_check_finds_what_is_wrong()
    {
        using var folder = new TemporaryFolder();
        var bad = folder.Write("bad.yaml", """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web}
            spec:
              replica: 1
              selector: {matchLabels: {a: b}}
              template: {metadata: {labels: {a: b}}, spec: {containers: [{image: x, ports: [{containerPort: "8080"}]}]}}
            ---
            {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: by}, spec: {scaleTargetRef: {name: web}, triggers: [{type: cron, metadata: {}, often: 1}]}}
            ---
            {apiVersion: policy/v7, kind: PodDisruptionBudget, metadata: {name: none}}
            """);

        Assert.Equal(
            [
                """bad.yaml: Deployment/web.spec.template.spec.containers.0 required {"missingProperty":"name"}""",
                """bad.yaml: Deployment/web.spec.template.spec.containers.0.ports.0.containerPort type {"type":"integer"}""",
                "bad.yaml: Deployment/web.spec.replica is unknown",
                "bad.yaml: ScaledObject/by.spec.triggers[0].often is unknown",
                "bad.yaml: PodDisruptionBudget/none: there is no PodDisruptionBudget in policy/v7",
            ],
            (await Kubernetes.CheckAsync(bad)).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void The_values_files_bring_out_every_kind_of_object() => Assert.Equal(
        [
            "apps/v1 Deployment", "autoscaling/v2 HorizontalPodAutoscaler", "keda.sh/v1alpha1 ScaledObject", "monitoring.coreos.com/v1 PrometheusRule", "monitoring.coreos.com/v1 ServiceMonitor",
            "networking.k8s.io/v1 Ingress", "networking.k8s.io/v1 NetworkPolicy", "policy/v1 PodDisruptionBudget",
            "v1 ConfigMap", "v1 PersistentVolumeClaim", "v1 Service", "v1 ServiceAccount",
        ],
        ChartRenders.Names.SelectMany(_renders.Objects).Select(found => $"{found.Text("apiVersion")} {found.Text("kind")}").Distinct().Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Names))]
    public void The_server_understands_its_configuration(string name)
    {
        var read = ServerConfigurationReader.ReadText(_renders.Configuration(name), "/etc/serve/config/serve.yaml", Environment(name));

        Assert.DoesNotContain(read.Warnings, warning => !warning.Contains("tokens travel there as they are", StringComparison.Ordinal));
        Assert.Equal(("/models", "/run/serve/server", "/var/cache/serve/models"), (read.Configuration.ModelStore, read.Configuration.RuntimeFolder, read.Configuration.CacheFolder));
        Assert.False(read.Configuration.Snapshots);
        Assert.Null(read.Configuration.Auth);
    }

    [Fact]
    public void A_users_configuration_goes_before_the_charts()
    {
        var configuration = ServerConfigurationReader.ReadText(_renders.Configuration("everything"), "/serve.yaml").Configuration;

        Assert.Equal((128 << 20, "text", false), (configuration.MaxRequestSize, configuration.Logging.Format, configuration.Metrics.TorchserveNames));
        Assert.Equal(("https://[::]:8443", "https://[::]:8444", "https://[::]:9443"), (configuration.InferenceAddress, configuration.ManagementAddress, configuration.GrpcInferenceAddress));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Pods_have_longer_than_their_drain_takes(string name)
    {
        var pod = _renders.Object(name, "Deployment").At("spec", "template", "spec")!;
        var drain = ServerConfigurationReader.ReadText(_renders.Configuration(name), "/serve.yaml").Configuration.DrainTimeout;
        var sleep = Seconds(pod.Items("containers").Single().Text("lifecycle", "preStop", "sleep", "seconds")!);

        Assert.True(Seconds(pod.Text("terminationGracePeriodSeconds")!) >= sleep + drain + TimeSpan.FromSeconds(10));

        static TimeSpan Seconds(string text) => TimeSpan.FromSeconds(int.Parse(text, CultureInfo.InvariantCulture));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Names_and_labels_fit_together(string name)
    {
        var deployment = _renders.Object(name, "Deployment");
        var (labels, pod) = (deployment.Texts("spec", "template", "metadata", "labels"), deployment.At("spec", "template", "spec")!);
        var container = pod.Items("containers").Single();
        var ports = container.Items("ports").Select(port => port.Text("name")!).ToList();
        Assert.All(ports, port => Assert.InRange(port.Length, 1, 15));

        // Services and policies choose the pods, and name their ports.
        foreach (var service in _renders.Objects(name).Where(found => found.Text("kind") == "Service"))
        {
            Assert.All(service.Texts("spec", "selector"), label => Assert.Equal(label.Value, labels[label.Key]));
            Assert.All(service.Items("spec", "ports"), port => Assert.Contains(port.Text("targetPort")!, ports));
        }

        var policy = _renders.Object(name, "NetworkPolicy");
        Assert.All(policy.Texts("spec", "podSelector", "matchLabels"), label => Assert.Equal(label.Value, labels[label.Key]));
        Assert.Equal(ports.Order(), policy.Items("spec", "ingress").SelectMany(rule => rule.Items("ports")).Select(port => port.Text("port")!).Order());
        Assert.All(["startupProbe", "livenessProbe", "readinessProbe"], probe => Assert.Contains(container.Text(probe, "httpGet", "port")!, ports));

        // Every mount has its volume, and every volume is mounted.
        var mounts = pod.Items("containers").Concat(pod.Items("initContainers")).SelectMany(found => found.Items("volumeMounts")).Select(mount => mount.Text("name")!).Distinct();
        Assert.Equal(pod.Items("volumes").Select(volume => volume.Text("name")!).Order(), mounts.Order());

        // What scales and what is scraped.
        foreach (var scaler in _renders.Objects(name).Where(found => found.Text("kind") is "HorizontalPodAutoscaler" or "ScaledObject"))
        {
            Assert.Equal(deployment.Text("metadata", "name"), scaler.Text("spec", "scaleTargetRef", "name"));
            Assert.Null(deployment.At("spec", "replicas"));
        }

        foreach (var monitor in _renders.Objects(name).Where(found => found.Text("kind") == "ServiceMonitor"))
        {
            var wanted = monitor.Texts("spec", "selector", "matchLabels");
            var scraped = Assert.Single(_renders.Objects(name), found => found.Text("kind") == "Service" && wanted.All(label => found.Texts("metadata", "labels").Contains(label)));
            Assert.Contains(monitor.Items("spec", "endpoints").Single().Text("port"), scraped.Items("spec", "ports").Select(port => port.Text("name")));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Pods_are_restricted(string name)
    {
        // The profile "restricted" of Kubernetes' pod security standards, and a read-only root.
        var pod = _renders.Object(name, "Deployment").At("spec", "template", "spec")!;
        Assert.Equal(("true", "1654", "RuntimeDefault", "false"), (pod.Text("securityContext", "runAsNonRoot"), pod.Text("securityContext", "runAsUser"), pod.Text("securityContext", "seccompProfile", "type"), pod.Text("automountServiceAccountToken")));
        Assert.All(pod.Items("containers").Concat(pod.Items("initContainers")), container =>
        {
            Assert.Equal(("false", "true", "ALL"), (container.Text("securityContext", "allowPrivilegeEscalation"), container.Text("securityContext", "readOnlyRootFilesystem"), ((YamlScalarNode)container.Items("securityContext", "capabilities", "drop").Single()).Value));
        });
    }

    [Fact]
    public void Containers_that_fill_the_store_see_what_the_server_sees()
    {
        var pod = _renders.Object("everything", "Deployment").At("spec", "template", "spec")!;
        var stores = pod.Items("containers").Concat(pod.Items("initContainers")).Select(container => container.Items("volumeMounts").Single(mount => mount.Text("name") == "models"));

        Assert.All(stores, store => Assert.Equal(("/models", "production"), (store.Text("mountPath"), store.Text("subPath"))));
    }

    [Fact]
    public void Pods_that_are_not_replaced_one_by_one_have_no_rule_for_that()
    {
        var strategy = _renders.Object("everything", "Deployment").At("spec", "strategy")!;

        Assert.Equal(("Recreate", null), (strategy.Text("type"), strategy.At("rollingUpdate")));
        Assert.NotNull(_renders.Object("default", "Deployment").At("spec", "strategy", "rollingUpdate"));
    }

    [Fact]
    public void Alerts_lead_to_a_runbook_that_can_be_opened() => Assert.All(
        _renders.Object("gpu", "PrometheusRule").Items("spec", "groups").SelectMany(group => group.Items("rules")).Where(rule => rule.Text("alert") is not null),
        rule => Assert.Equal($"https://git.example.com/serve/blob/main/docs/runbooks.md#{rule.Text("alert")!.ToLowerInvariant()}", rule.Text("annotations", "runbook_url")));

    [Fact]
    public void A_GPU_is_asked_for_where_it_is_wanted()
    {
        var pod = _renders.Object("gpu", "Deployment").At("spec", "template", "spec")!;

        Assert.Equal(("1", "nvidia"), (pod.Items("containers").Single().Text("resources", "limits", "nvidia.com/gpu"), pod.Text("runtimeClassName")));
        Assert.EndsWith("-gpu", pod.Items("containers").Single().Text("image"), StringComparison.Ordinal);
        Assert.Null(_renders.Object("default", "Deployment").At("spec", "template", "spec")!.Items("containers").Single().At("resources", "limits", "nvidia.com/gpu"));
    }

    [Fact]
    public void An_empty_folder_for_the_cache_has_no_limit_that_evicts_the_pod()
    {
        var cache = _renders.Object("default", "Deployment").At("spec", "template", "spec")!.Items("volumes").Single(volume => volume.Text("name") == "cache");

        Assert.NotNull(cache.At("emptyDir"));
        Assert.Null(cache.At("emptyDir", "sizeLimit"));
        Assert.Equal(16L << 30, ServerConfigurationReader.ReadText(_renders.Configuration("default"), "/serve.yaml").Configuration.CacheSize);
    }

    [Fact]
    public void An_Ingress_serves_any_name_that_is_given() =>
        Assert.Equal(["classify.example.com", "*.example.com"], _renders.Object("everything", "Ingress").Items("spec", "rules").Select(rule => rule.Text("host")));

    [Theory]
    [InlineData("15s", "60s")]
    [InlineData("30s", "120s")]
    [InlineData("1m", "240s")]
    [InlineData("1m30s", "360s")]
    public async Task What_scales_looks_at_four_scrapes(string interval, string window)
    {
        var objects = Yaml.Documents(await Kubernetes.RenderAsync("--set", $"keda.enabled=true,serviceMonitor.enabled=true,serviceMonitor.interval={interval}"));

        Assert.Equal(2, objects.Single(found => found.Text("kind") == "ScaledObject").Items("spec", "triggers").First().Text("metadata", "query")!.Split($"[{window}]").Length - 1);
    }

    [Theory]
    [InlineData("keda.enabled=true", true)]
    [InlineData("keda.enabled=true,serviceMonitor.enabled=true", false)]
    public async Task Who_scrapes_in_a_way_of_his_own_is_told_which_labels_scaling_needs(string values, bool isTold)
    {
        var (code, output, errors) = await Kubernetes.HelmAsync("install", "demo", Kubernetes.Chart, "--namespace", "models", "--dry-run=client", "--set", values);

        Assert.True(code == 0, errors);
        Assert.Equal(isTold, output.Contains("namespace=\"models\" and service=\"demo-serve-metrics\"", StringComparison.Ordinal));
    }

    [Fact]
    public void The_rules_are_those_of_configs()
    {
        var groups = _renders.Object("gpu", "PrometheusRule").Items("spec", "groups").Select(Shape);

        Assert.Equal(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "configs", "prometheus", "rules")).Order(StringComparer.Ordinal).SelectMany(file => Yaml.Document(File.ReadAllText(file)).Items("groups")).Select(Shape),
            groups);

        static string Shape(YamlNode group) => $"{group.Text("name")}: {string.Join(", ", group.Items("rules").Select(rule => $"{rule.Text("alert") ?? rule.Text("record")} = {rule.Text("expr")?.Trim()} for {rule.Text("for")}"))}";
    }

    [Fact]
    public void The_dashboards_are_those_of_configs()
    {
        var maps = _renders.Objects("gpu").Where(found => found.Texts("metadata", "labels").ContainsKey("grafana_dashboard")).SelectMany(found => found.Texts("data")).OrderBy(file => file.Key, StringComparer.Ordinal);

        Assert.Equal(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "configs", "grafana", "dashboards")).Order(StringComparer.Ordinal).Select(file => (Path.GetFileName(file), File.ReadAllText(file).Trim())),
            maps.Select(file => (file.Key, file.Value.Trim())));
    }

    [Fact]
    public async Task What_scales_asks_for_metrics_that_the_server_has()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/promtool"), "promtool is not installed (Debian's package prometheus has it).");
        var adapter = Yaml.Document(File.ReadAllText(Path.Combine(Repository.Root, "deploy", "helm", "prometheus-adapter.yaml"))).Items("rules", "custom").Single();
        List<string> queries =
        [
            .. _renders.Object("gpu", "ScaledObject").Items("spec", "triggers").Select(trigger => trigger.Text("metadata", "query")!),
            adapter.Text("seriesQuery")!,
            adapter.Text("metricsQuery")!.Replace("<<.GroupBy>>", "pod", StringComparison.Ordinal).Replace("<<.LabelMatchers>>", "namespace=\"models\"", StringComparison.Ordinal),
        ];
        Assert.Equal(adapter.Text("name", "as"), _renders.Object("everything", "HorizontalPodAutoscaler").Items("spec", "metrics").Single().Text("pods", "metric", "name"));

        using var folder = new TemporaryFolder();
        var rules = folder.Write("rules.yml", "groups:\n  - name: scaling\n    rules:\n" + string.Concat(queries.Select((query, i) => $"      - {{record: \"query:number{i}\", expr: '{query}'}}\n")));
        using var promtool = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("promtool", ["check", "rules", "--lint-fatal", rules]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, errors) = (promtool.StandardOutput.ReadToEndAsync(Cancellation), promtool.StandardError.ReadToEndAsync(Cancellation));
        await promtool.WaitForExitAsync(Cancellation);
        Assert.True(promtool.ExitCode == 0, await output + await errors);

        var documented = File.ReadAllText(Path.Combine(Repository.Root, "docs", "metrics.md"));
        Assert.All(queries.SelectMany(query => Metric().Matches(query)).Select(match => Suffix().Replace(match.Value, "")).Distinct(), metric => Assert.Contains($"`{metric}`", documented, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("autoscaling.enabled=true,keda.enabled=true", "autoscaling and keda are both enabled")]
    [InlineData("drainTimeout=100,terminationGracePeriodSeconds=60", "it must be above preStopSleep + drainTimeout, which are 105")]
    [InlineData("config.drainTimeout=300", "give drainTimeout of the chart")]
    [InlineData("env[0].name=SERVE_DRAIN_TIMEOUT,env[0].value=300s", "give drainTimeout of the chart")]
    [InlineData("tls.enabled=true", "give tls.secretName")]
    [InlineData("ingress.enabled=true", "give ingress.hosts")]
    [InlineData("prometheusRule.runbookBase=docs", "does not match pattern")]
    [InlineData("keda.minReplicas=0", "minimum: got 0, want 1")]
    [InlineData("serviceMonitor.interval=500ms", "does not match pattern")]
    [InlineData("replica=2", "additional properties 'replica' not allowed")]
    [InlineData("auth.mode=maybe", "value must be one of 'tokens', 'none'")]
    public async Task Values_that_cannot_be_meant_are_refused(string values, string message)
    {
        var (code, _, errors) = await Kubernetes.HelmAsync("template", "demo", Kubernetes.Chart, "--set", values);

        Assert.Equal(1, code);
        Assert.Contains(message, errors, StringComparison.Ordinal);
    }

    private Dictionary<string, string> Environment(string name) =>
        _renders.Object(name, "Deployment").At("spec", "template", "spec")!.Items("containers").Single().Items("env").ToDictionary(variable => variable.Text("name")!, variable => variable.Text("value") ?? "");

    [GeneratedRegex(@"\bserve_[a-z_]+\b")]
    private static partial Regex Metric();

    [GeneratedRegex("_(sum|count|bucket)$")]
    private static partial Regex Suffix();
}
