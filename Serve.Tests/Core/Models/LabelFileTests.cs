using System.Text;
using CsCheck;
using Serve.Core.Errors;
using Serve.Core.Models;

namespace Serve.Tests.Core.Models;

public sealed class LabelFileTests
{
    [Theory]
    [InlineData("""{"0": "tench", "1": "goldfish"}""")]
    [InlineData("""{"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}""")]
    [InlineData("""{"object_type_names": {"0": "tench", "1": "goldfish"}}""")]
    [InlineData("""{"object_type_names": ["tench", "goldfish"], "more": {"a": [1]}}""")]
    [InlineData("\uFEFF{\"0\": \"tench\", \"1\": \"goldfish\"}")]
    public void Every_form_of_TorchServes_is_read(string json) => Assert.Equal(["tench", "goldfish"], Read(json));

    [Fact]
    public void An_index_that_is_left_out_is_its_own_label() => Assert.Equal(["0", "1", "two"], Read("""{"2": "two"}"""));

    [Fact]
    public void No_labels_are_no_labels() => Assert.Empty(Read("{}"));

    [Theory]
    [InlineData("{\n  \"0\": \"a\",\n  \"x\": \"b\"\n}", "labels.json:3:3: \"x\" is no class index (0 to 999999).")]
    [InlineData("{\"-1\": \"a\"}", "labels.json:1:2: \"-1\" is no class index")]
    [InlineData("{\"1000000\": \"a\"}", "is no class index")]
    [InlineData("{\"0\": \"a\",\n \"0\": \"b\"}", "labels.json:2:2: the class index 0 stands twice.")]
    [InlineData("{\"0\": 5}", "labels.json:1:7: a label must be text, or a list of texts whose last is the label.")]
    [InlineData("{\"0\": []}", "a list of texts is empty")]
    [InlineData("{\"0\": [\"a\", 1]}", "a label in a list must be text")]
    [InlineData("[\"a\"]", "labels.json:1:1: must be an object of class indices and labels")]
    [InlineData("{\"object_type_names\": 5}", "object_type_names must be a list or an object of labels")]
    [InlineData("{\"0\": \"a\"", "labels.json:1:10: is not JSON")]
    [InlineData("{\"0\": \"a\"} x", "labels.json:1:12: is not JSON")]
    [InlineData("", "is not JSON")]
    [InlineData("{\"0\": \"\\ud800\"}", "labels.json:1:7: is not text")]
    public void An_error_names_file_and_place(string json, string message) =>
        Assert.Contains(message, Assert.Throws<InvalidModelException>(() => Read(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void Whatever_the_bytes_they_are_read_or_refused_and_nothing_else()
    {
        string[] pieces = ["{", "}", "[", "]", ":", ",", "\"0\"", "\"1\"", "\"object_type_names\"", "1", "null", " ", "\n", "\"", "\"\xff\"", "\"\\ud800\""];
        Gen.Int[0, pieces.Length - 1].Select(index => pieces[index]).Array[0, 12].Select(string.Concat).Sample(json =>
        {
            try
            {
                LabelFile.Read(Encoding.Latin1.GetBytes(json), "labels.json");
            }
            catch (InvalidModelException error)
            {
                Assert.StartsWith("labels.json:", error.Message, StringComparison.Ordinal);
            }
        }, iter: 20_000, threads: 1);
    }

    private static IReadOnlyList<string> Read(string json) => LabelFile.Read(Encoding.UTF8.GetBytes(json), "labels.json");
}
