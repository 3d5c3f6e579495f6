using System.Collections.Concurrent;
using System.Net;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Conformance;

/// <summary>
/// ONNX's own test suite by the Open Inference Protocol: each of its models is registered and called with the suite's
/// inputs, and must give the suite's outputs; or it is refused at load with the reason. docs/onnx-conformance.md lists what
/// is refused; the tests write it (SERVE_TESTS_WRITE_DOCS).
/// </summary>
public sealed class OnnxSuiteTests(ITestOutputHelper output)
{
    private const string WriteVariable = "SERVE_TESTS_WRITE_DOCS";
    private const string Skipped = "Debian's package libonnx-testdata is not installed.";

    private static readonly string Page = Path.Combine(Serve.Tests.EndToEnd.Repository.Root, "docs", "onnx-conformance.md");

    [Fact]
    public async Task Every_model_of_the_suite_answers_as_the_suite_says_or_is_refused_with_the_reason()
    {
        Assert.SkipUnless(OnnxTestSuite.IsThere, Skipped);
        using var host = new ManyModelsHost();
        await using var server = await StartAsync("--worker-executable", host.Executable);
        using var run = new OnnxSuiteRun(server);
        var tests = OnnxTestSuite.All();
        var results = new ConcurrentDictionary<string, OnnxSuiteResult>();

        await Parallel.ForEachAsync(tests.Index(), new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = TestContext.Current.CancellationToken }, async (test, _) =>
            results[test.Item.Model] = await run.RunAsync(test.Item, byEveryProtocol: test.Index % 10 == 0));

        Assert.Empty(host.Defects);
        var page = OnnxSuitePage.Write(tests, results);
        foreach (var (model, result) in results.Where(result => result.Value.Outcome == OnnxSuiteOutcome.Wrong).OrderBy(result => result.Key, StringComparer.Ordinal)) output.WriteLine($"{model}: {result.Detail}");
        Assert.DoesNotContain(results.Values, result => result.Outcome == OnnxSuiteOutcome.Wrong);
        if (Environment.GetEnvironmentVariable(WriteVariable) is { Length: > 0 }) await File.WriteAllTextAsync(Page, page, TestContext.Current.CancellationToken);
        Assert.True(File.Exists(Page) && await File.ReadAllTextAsync(Page, TestContext.Current.CancellationToken) == page, $"docs/onnx-conformance.md is not what the suite says; {WriteVariable}=1 writes it anew.");
    }

    [Fact]
    public async Task Some_models_of_the_suite_do_so_in_workers_of_their_own()
    {
        Assert.SkipUnless(OnnxTestSuite.IsThere, Skipped);
        await using var server = await StartAsync();
        using var run = new OnnxSuiteRun(server);
        var tests = OnnxTestSuite.All();
        string[] some = ["node-test_adam", "node-test_add_uint8", "node-test_sequence_insert_at_front", "node-test_cast_FLOAT_to_BFLOAT16", "pytorch-converted-test_Conv2d", "simple-test_sign_model"];

        foreach (var name in some)
        {
            var test = tests.Single(test => test.Model == name);
            var result = await run.RunAsync(test, byEveryProtocol: true);
            Assert.True(result.Outcome != OnnxSuiteOutcome.Wrong, $"{test}: {result.Detail}");
        }
    }

    private async Task<ServerFixture> StartAsync(params string[] flags)
    {
        var server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--load-models", "none", .. flags] }, output);

        // Of a thousand models only what is unusual is shown where the test fails.
        Assert.Equal(HttpStatusCode.OK, (await server.ManageAsync(HttpMethod.Put, "/logging?level=warning")).Status);
        return server;
    }
}
