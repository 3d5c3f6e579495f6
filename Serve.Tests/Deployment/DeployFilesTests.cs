using System.Diagnostics;
using System.Text.RegularExpressions;
using Serve.Core.Configuration;
using YamlDotNet.RepresentationModel;

namespace Serve.Tests.Deployment;

/// <summary>The files in deploy/ and configs/: they can be read, and say nothing that the server does not know.</summary>
public sealed partial class DeployFilesTests
{
    private static readonly string Deploy = Path.Combine(Repository.Root, "deploy");

    public static TheoryData<string> YamlFiles => [.. new[] { Deploy, Path.Combine(Repository.Root, "configs") }
        .SelectMany(folder => Directory.EnumerateFiles(folder, "*.y*ml", SearchOption.AllDirectories))
        .Select(file => Path.GetRelativePath(Repository.Root, file))
        .Where(file => !file.Contains("/templates/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(YamlFiles))]
    public void Each_is_YAML(string file)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(File.ReadAllText(Path.Combine(Repository.Root, file))));
        Assert.NotEmpty(stream.Documents);
    }

    [Fact]
    public void Each_variable_is_a_setting_of_the_server()
    {
        // What compose files and commands give themselves.
        string[] own = ["SERVE_VARIANT", "SERVE_GPUS", "SERVE_PUBLISH_FLAGS"];
        var named = Directory.EnumerateFiles(Deploy, "*", SearchOption.AllDirectories).Append(Path.Combine(Repository.Root, "docs", "deployment.md"))
            .SelectMany(file => Variable().Matches(File.ReadAllText(file)).Select(match => match.Value)).Distinct().Except(own).ToList();
        var documented = Variable().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md")) + File.ReadAllText(Path.Combine(Repository.Root, "docs", "cli.md"))).Select(match => match.Value).ToHashSet();

        Assert.Contains("SERVE_INFERENCE_ADDRESS", named);
        Assert.Empty(named.Except(documented));
    }

    [Fact]
    public void The_image_is_reachable_only_once_somebody_has_decided_who_may()
    {
        var image = ContainerEnvironment();

        var refused = Assert.Throws<ConfigurationException>(() => ServerConfigurationReader.Read(null, image));
        Assert.Contains("can be reached from other machines", refused.Message, StringComparison.Ordinal);
        var read = ServerConfigurationReader.Read(null, image.Append(KeyValuePair.Create("SERVE_AUTH", "none")).ToDictionary());
        Assert.Empty(read.Warnings);
        Assert.Equal("http://127.0.0.1:8081", read.Configuration.ManagementAddress);
    }

    [Fact]
    public void The_image_keeps_what_it_writes_in_its_volumes()
    {
        var containerfile = File.ReadAllText(Path.Combine(Deploy, "Containerfile"));
        var read = ServerConfigurationReader.Read(null, ContainerEnvironment().Append(KeyValuePair.Create("SERVE_AUTH", "none")).ToDictionary()).Configuration;

        // One level below: the server's folders are private, and volumes may not be.
        Assert.Equal(Volumes(), [Path.GetDirectoryName(read.RuntimeFolder)!, Path.GetDirectoryName(read.CacheFolder)!]);
        Assert.Matches(@"(?m)^USER 1654:1654$", containerfile);
        Assert.Matches(@"(?m)^STOPSIGNAL SIGTERM$", containerfile);
    }

    [Fact]
    public void Base_images_are_of_the_versions_that_the_project_is_built_with()
    {
        var containerfile = File.ReadAllText(Path.Combine(Deploy, "Containerfile"));
        var runtime = RuntimeVersion().Match(File.ReadAllText(Path.Combine(Repository.Root, "Directory.Packages.props"))).Groups[1].Value;

        Assert.Contains($"ONNX Runtime {runtime} links", containerfile, StringComparison.Ordinal);
        Assert.Equal(3, Base().Count(containerfile));
    }

    [Fact]
    public void The_CPUs_image_and_the_GPUs_have_one_version_of_ONNX_Runtime() => Assert.Single(
        AnyRuntimeVersion().Matches(File.ReadAllText(Path.Combine(Repository.Root, "Directory.Packages.props"))).Select(match => match.Groups[1].Value).Distinct());

    [Fact]
    public void The_image_is_built_with_all_that_decides_how_it_is_built()
    {
        var context = File.ReadAllLines(Path.Combine(Deploy, "Containerfile.dockerignore")).Where(line => line.StartsWith('!')).Select(line => line[1..]).ToHashSet();
        var needed = Directory.EnumerateFiles(Repository.Root).Select(file => Path.GetFileName(file)!).Where(name => name is ".editorconfig" or "global.json" || name.StartsWith("Directory.", StringComparison.Ordinal) || name.EndsWith(".globalconfig", StringComparison.OrdinalIgnoreCase));

        Assert.Empty(needed.Concat(Projects("Serve.Frontend")).Concat(Projects("Serve.Worker")).Append("build").Except(context));
        Assert.Equal(File.ReadAllText(Path.Combine(Deploy, "Containerfile.dockerignore")), File.ReadAllText(Path.Combine(Repository.Root, ".containerignore")));

        static IEnumerable<string> Projects(string project) =>
            Reference().Matches(File.ReadAllText(Path.Combine(Repository.Root, project, project + ".csproj"))).SelectMany(reference => Projects(reference.Groups[1].Value)).Append(project);
    }

    [Theory]
    [InlineData("compose.yaml")]
    [InlineData("compose.gpu.yaml")]
    public void Compose_gives_the_image_what_it_needs(string file)
    {
        var service = Yaml.Document(File.ReadAllText(Path.Combine(Deploy, "compose.yaml"))).At("services", "serve")!;
        var over = Yaml.Document(File.ReadAllText(Path.Combine(Deploy, file))).At("services", "serve")!;
        var read = ServerConfigurationReader.Read(null, ContainerEnvironment().Concat(service.Texts("environment")).Concat(over.Texts("environment")).DistinctBy(variable => variable.Key).ToDictionary());

        Assert.DoesNotContain(read.Warnings, warning => !warning.Contains("tokens travel there as they are", StringComparison.Ordinal));
        var grace = TimeSpan.FromSeconds(int.Parse(service.Text("stop_grace_period")!.TrimEnd('s'), System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(grace >= read.Configuration.DrainTimeout + TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void What_compose_mounts_is_there_and_finds_the_server()
    {
        var services = (YamlMappingNode)Yaml.Document(File.ReadAllText(Path.Combine(Deploy, "compose.yaml"))).At("services")!;
        var mounted = services.Children.Values.SelectMany(service => service.Items("volumes")).Select(volume => volume.ToString().Split(':')[0]).Where(path => path.StartsWith('.'));
        Assert.All(mounted, path => Assert.True(Path.Exists(Path.Combine(Deploy, path)), path));

        var stream = new YamlStream();
        stream.Load(new StringReader(File.ReadAllText(Path.Combine(Deploy, "compose.targets.yml"))));
        var target = ((YamlSequenceNode)stream.Documents.Single().RootNode).Single().Items("targets").Single().ToString();
        Assert.Equal("serve:" + new Uri(ContainerEnvironment()["SERVE_METRICS_ADDRESS"]).Port, target);
        Assert.Contains("serve", services.Children.Keys.Select(name => name.ToString()));
    }

    [Fact]
    public void What_the_server_writes_in_compose_lies_on_a_disk()
    {
        var compose = Yaml.Document(File.ReadAllText(Path.Combine(Deploy, "compose.yaml")));
        var server = compose.At("services", "serve")!;
        var mounts = server.Items("volumes").Select(volume => volume.ToString().Split(':')).Where(parts => compose.At("volumes") is YamlMappingNode named && named.Children.ContainsKey(parts[0])).Select(parts => parts[1]);

        Assert.Equal(Volumes().Order(StringComparer.Ordinal), mounts.Order(StringComparer.Ordinal));
        Assert.Empty(server.Items("tmpfs"));
    }

    [Fact]
    public void Everything_in_compose_is_restricted()
    {
        var services = Yaml.Document(File.ReadAllText(Path.Combine(Deploy, "compose.yaml"))).At("services")!;

        Assert.All(((YamlMappingNode)services).Children.Values, service =>
        {
            Assert.Equal("true", service.Text("read_only"));
            Assert.Equal("[ ALL ]", service.At("cap_drop")!.ToString());
            Assert.Equal("[ no-new-privileges:true ]", service.At("security_opt")!.ToString());
            Assert.All(service.Items("ports"), port => Assert.StartsWith("127.0.0.1:", port.ToString(), StringComparison.Ordinal));
            Assert.DoesNotMatch("(^|:)latest$|^[^:]*$", service.Text("image")!);
        });
    }

    [Fact]
    public void The_services_configuration_uses_the_folders_that_the_unit_makes()
    {
        var read = ServerConfigurationReader.ReadText(File.ReadAllText(Path.Combine(Deploy, "systemd", "serve.yaml")), "/etc/serve/serve.yaml");
        var unit = File.ReadAllLines(Path.Combine(Deploy, "systemd", "serve.service")).Select(line => line.Split('=', 2)).Where(parts => parts.Length == 2).ToLookup(parts => parts[0], parts => parts[1]);

        Assert.Empty(read.Warnings);
        Assert.Equal([read.Configuration.ModelStore, read.Configuration.SnapshotFolder], unit["StateDirectory"].Single().Split(' ').Skip(1).Select(name => "/var/lib/" + name));
        Assert.Equal("/var/cache/" + unit["CacheDirectory"].Single(), read.Configuration.CacheFolder);
        Assert.StartsWith(read.Configuration.CacheFolder + "/", read.Configuration.RuntimeFolder, StringComparison.Ordinal); // archives are unpacked there, and /run is memory
        Assert.All(["CacheDirectoryMode", "StateDirectoryMode"], mode => Assert.Equal("0700", unit[mode].Single()));
        var patience = TimeSpan.FromSeconds(int.Parse(unit["TimeoutStopSec"].Single(), System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(patience >= read.Configuration.DrainTimeout + TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void A_private_key_is_read_from_where_the_unit_puts_it()
    {
        var credential = Credential().Match(File.ReadAllText(Path.Combine(Deploy, "systemd", "serve.service"))).Groups[1].Value;

        Assert.NotEmpty(credential);
        Assert.Contains($"# privateKeyFile: /run/credentials/serve.service/{credential} ", File.ReadAllText(Path.Combine(Deploy, "systemd", "serve.yaml")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Systemd_accepts_the_unit_and_finds_it_restricted()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/systemd-analyze"), "systemd-analyze is not installed (Debian's package systemd has it).");
        using var folder = new TemporaryFolder();
        var unit = folder.Write("serve.service", File.ReadAllText(Path.Combine(Deploy, "systemd", "serve.service")).Replace("/opt/serve/serve ", Environment.ProcessPath + " ", StringComparison.Ordinal));
        folder.Write("serve.service.d/gpu.conf", File.ReadAllText(Path.Combine(Deploy, "systemd", "serve.service.d", "gpu.conf")));

        // Of the drop-in only that it parses: its device groups are there when the driver is.
        Assert.Equal((0, ""), await AnalyzeAsync("verify", "--man=no", unit));

        // 0 is nothing allowed, 100 everything; without the restrictions it would be 96.
        var (code, text) = await AnalyzeAsync("security", "--offline=true", "--threshold=20", unit);
        Assert.True(code == 0, text);
    }

    private static List<string> Volumes() =>
        [.. Quoted().Matches(Volume().Match(File.ReadAllText(Path.Combine(Deploy, "Containerfile"))).Groups[1].Value).Select(match => match.Groups[1].Value)];

    private static Dictionary<string, string> ContainerEnvironment() =>
        Setting().Matches(File.ReadAllText(Path.Combine(Deploy, "Containerfile"))).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);

    private static async Task<(int Code, string Text)> AnalyzeAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/systemd-analyze", arguments) { RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["SYSTEMD_PAGER"] = "" } })!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, await output + await errors);
    }

    [GeneratedRegex(@"\bSERVE_[A-Z][A-Z_]*[A-Z]\b")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^\s+(SERVE_[A-Z_]+)=(\S+)", RegexOptions.Multiline)]
    private static partial Regex Setting();

    [GeneratedRegex(@"^VOLUME (.*)$", RegexOptions.Multiline)]
    private static partial Regex Volume();

    [GeneratedRegex("^# LoadCredential=([^:]+):", RegexOptions.Multiline)]
    private static partial Regex Credential();

    [GeneratedRegex("\"([^\"]+)\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("""Include="Microsoft.ML.OnnxRuntime.Gpu.Linux" Version="(\d+\.\d+)\.""")]
    private static partial Regex RuntimeVersion();

    [GeneratedRegex("""Include="Microsoft.ML.OnnxRuntime[^"]*" Version="([^"]+)""")]
    private static partial Regex AnyRuntimeVersion();

    [GeneratedRegex("""<ProjectReference Include="../([^/]+)/""")]
    private static partial Regex Reference();

    // To the last number: what is built today is what is built tomorrow.
    [GeneratedRegex(@"^ARG (DOTNET_SDK|DOTNET_RUNTIME|CUDA_RUNTIME)=\S+:\d+\.\d+\.\d+-\S+$", RegexOptions.Multiline)]
    private static partial Regex Base();
}
