using System.Net;
using System.Net.Http.Headers;
using Serve.Tests.Worker;

namespace Serve.Tests.Deployment;

/// <summary>The real server in the surroundings of a pod of the chart, with the configuration that Helm renders.</summary>
public sealed class PodTests(ITestOutputHelper output)
{
    private const string Token = "a-token-of-this-test";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_serves_from_a_read_only_root_as_a_user_without_privileges()
    {
        Assert.SkipUnless(Kubernetes.IsInstalled, Kubernetes.HowToInstall);
        Assert.SkipUnless(ContainerRoot.IsPossible(), "Only root can make a root file system of its own.");
        using var files = new TemporaryFolder();
        Directory.CreateDirectory(files["models", "add_sub", "1.0"]);
        SmallModels.SumAndDifference(files["models", "add_sub", "1.0", "model.onnx"]);
        files.Write("etc/tokens/inference", Token);
        var rendered = Yaml.Documents(await Kubernetes.RenderAsync());
        files.Write("etc/config/serve.yaml", rendered.Single(found => found.Text("data", "serve.yaml") is not null).Text("data", "serve.yaml")!);
        var arguments = rendered.Single(found => found.Text("kind") == "Deployment").At("spec", "template", "spec")!.Items("containers").Single().Items("args").Select(argument => argument.ToString());

        // Its own arguments, but for free ports.
        string[] ports = [.. new[] { "inference", "management", "metrics", "grpc-inference", "grpc-management" }.SelectMany(name => (string[])[$"--{name}-address", "http://127.0.0.1:0"])];
        await using var pod = ContainerRoot.Start(files["models"], files["etc"], output, [.. arguments, .. ports]);
        var url = (await pod.WaitForLogAsync("Listening: ")).GetProperty("inference").GetString();
        await pod.WaitForLogAsync("Loading -> Ready");

        using var client = new HttpClient();
        foreach (var probe in (string[])["/startupz", "/livez", "/readyz"]) Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(url + probe, Cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync(url + "/v2/models/add_sub", Cancellation)).StatusCode);
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(url + "/v2/models/add_sub/ready", Cancellation)).StatusCode);

        Assert.Equal(("1654\t1654\t1654\t1654", "0000000000000000", "1"), (pod.Status("Uid"), pod.Status("CapBnd"), pod.Status("NoNewPrivs")));
        Assert.Equal(["server"], pod.List("/run/serve"));
        Assert.Empty(pod.List("/tmp"));
        Assert.DoesNotContain(pod.Log, line => line.Contains("\"level\":\"warning\"", StringComparison.Ordinal) || line.Contains("\"level\":\"error\"", StringComparison.Ordinal));
        Assert.Equal(0, await pod.StopAsync());
    }
}
