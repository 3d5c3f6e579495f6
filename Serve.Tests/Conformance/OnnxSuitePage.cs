using System.Text;
using System.Text.RegularExpressions;

namespace Serve.Tests.Conformance;

/// <summary>docs/onnx-conformance.md, from what a run of the suite found.</summary>
internal static partial class OnnxSuitePage
{
    public static string Write(IReadOnlyList<OnnxTestCase> tests, IReadOnlyDictionary<string, OnnxSuiteResult> results)
    {
        var page = new StringBuilder($"""
            # ONNX's own test suite

            The {tests.Count} models of ONNX's test suite (version 1.12, Debian's package `libonnx-testdata`), each registered in a running server and called by the [Open Inference Protocol](open-inference-protocol.md) with the suite's inputs: in binary over REST, every tenth also in JSON and over gRPC, models with a batch dimension several at once. This page is written by the tests (`OnnxSuiteTests`), which fail when it says something else than they find.

            | | models |
            | --- | ---: |
            | answer as the suite says: shapes, datatypes, texts and whole numbers exactly, others within 0.1% and 0.00001 (of the largest number of the tensor, if that is more than 1) | {Count(results, OnnxSuiteOutcome.Answers)} |
            | draw random numbers: shapes and datatypes as the suite says | {Count(results, OnnxSuiteOutcome.Random)} |
            | give other values: ONNX Runtime {Version} differs from this version of the suite, or the suite from its own model | {Count(results, OnnxSuiteOutcome.Differs)} |
            | need the system's locale en_US.UTF-8: served where it is, refused where it is not | {Count(results, OnnxSuiteOutcome.NeedsLocale)} |
            | are refused at load, with the reason | {Count(results, OnnxSuiteOutcome.Refused)} |

            {Batching(results.Values.Count(result => result.Batches))}

            ## Refused

            In the words of the answer to the registration, by reason.


            """.ReplaceLineEndings("\n"));
        List(page, tests, results, OnnxSuiteOutcome.Refused);
        page.Append("\n## Other values\n\n");
        List(page, tests, results, OnnxSuiteOutcome.Differs);
        page.Append("\n## Random numbers\n\n");
        page.Append($"{Names(Of(tests, results, OnnxSuiteOutcome.Random))}\n");
        page.Append("\n## Locale\n\n");
        page.Append($"{Names(Of(tests, results, OnnxSuiteOutcome.NeedsLocale))}\n");
        return page.ToString();
    }

    private static string Version => typeof(Microsoft.ML.OnnxRuntime.OrtEnv).Assembly.GetName().Version!.ToString(3);

    private static void List(StringBuilder page, IReadOnlyList<OnnxTestCase> tests, IReadOnlyDictionary<string, OnnxSuiteResult> results, OnnxSuiteOutcome outcome)
    {
        foreach (var group in Of(tests, results, outcome).GroupBy(test => Reason(results[test.Model].Detail, test.Model)).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            page.Append($"- {group.Key}: {Names(group)}\n");
        }
    }

    private static IEnumerable<OnnxTestCase> Of(IReadOnlyList<OnnxTestCase> tests, IReadOnlyDictionary<string, OnnxSuiteResult> results, OnnxSuiteOutcome outcome) =>
        tests.Where(test => results[test.Model].Outcome == outcome);

    private static string Batching(int count) => count == 0
        ? "None of them has a batch dimension, so each request runs alone."
        : $"{count} of them have a batch dimension; the shapes of the others are fixed.";

    private static string Names(IEnumerable<OnnxTestCase> tests) => string.Join(", ", tests.Select(test => $"`{test.Model}`"));

    private static int Count(IReadOnlyDictionary<string, OnnxSuiteResult> results, OnnxSuiteOutcome outcome) => results.Values.Count(result => result.Outcome == outcome);

    // Paths and the names of tensors differ where the reason is the same.
    private static string Reason(string message, string model)
    {
        var text = Prefix().Replace(Paths().Replace(message, "model.onnx"), "").Replace(model, "…", StringComparison.Ordinal);
        return Quoted().Replace(text, "'…'").Trim().TrimEnd('.');
    }

    [GeneratedRegex(@"^Failed to start workers for model \S+ version: \S+: ")]
    private static partial Regex Prefix();

    [GeneratedRegex(@"/\S*/model\.onnx")]
    private static partial Regex Paths();

    [GeneratedRegex(@"(?<= )'[^']*'")]
    private static partial Regex Quoted();
}
