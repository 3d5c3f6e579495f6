using System.Text.Json.Nodes;
using Serve.Core.Errors;
using Serve.Frontend.OpenInference.Control;

namespace Serve.Tests.Frontend.OpenInference;

public sealed class ConfigOverrideTests
{
    private const string Whole = """
        {
          "name": "m", "platform": "onnxruntime_onnx", "backend": "onnxruntime", "max_batch_size": 16, "default_model_filename": "model.onnx",
          "version_policy": {"specific": {"versions": [1, 2]}},
          "instance_group": [{"name": "g", "count": 2, "kind": "KIND_GPU", "gpus": [0, 1]}],
          "dynamic_batching": {
            "preferred_batch_size": [], "max_queue_delay_microseconds": 5000, "preserve_ordering": false, "priority_levels": 3, "default_priority_level": 2,
            "default_queue_policy": {"timeout_action": "REJECT", "default_timeout_microseconds": 2000000, "allow_timeout_override": true, "max_queue_size": 7}
          },
          "input": [{"name": "a", "data_type": "TYPE_FP32", "dims": [2]}], "output": [{"name": "c", "data_type": "TYPE_FP32", "dims": [2]}],
          "parameters": {"minWorkers": {"string_value": "1"}}, "response_cache": {"enable": true}, "model_transaction_policy": {"decoupled": false}
        }
        """;

    [Fact]
    public void A_configuration_becomes_keys_of_Serves_own()
    {
        var config = ConfigOverride.Parse("m", Whole);
        Assert.Equal(
            "batchSize=16 batching=delayed deviceIds=0,1 deviceType=gpu instances=2 latencyTarget=2000ms maxBatchDelay=5ms maxQueueSize=7 minWorkers=1 modelFile=model.onnx priorityLevels=3 responseCache.enabled=true",
            string.Join(' ', config.Keys.OrderBy(key => key.Key, StringComparer.Ordinal).Select(key => $"{key.Key}={key.Value}")));
        Assert.Equal(["1", "2"], config.Policy!.Choose(["3", "2", "1"]));
    }

    [Theory]
    [InlineData("default_timeout_microseconds", "latencyTarget", "2000ms")]
    [InlineData("max_queue_delay_microseconds", "maxBatchDelay", "5ms")]
    public void Numbers_of_64_bits_may_be_text_as_protobuf_writes_them(string field, string key, string value)
    {
        var text = System.Text.RegularExpressions.Regex.Replace(Whole, $"""("{field}": )(\d+)""", """$1"$2" """);
        Assert.Equal(value, ConfigOverride.Parse("m", text).Keys[key]);
    }

    // As tritonclient's get_model_config(as_json=True) has them.
    [Fact]
    public void All_numbers_of_64_bits_may_be_text_at_once()
    {
        var text = System.Text.RegularExpressions.Regex.Replace(Whole, """("(?:max_queue_delay_microseconds|priority_levels|default_priority_level|default_timeout_microseconds)": |"dims": \[|"versions": \[)(\d+)""", """$1"$2" """);
        var config = ConfigOverride.Parse("m", text);

        Assert.Contains("\"priority_levels\": \"3\"", text, StringComparison.Ordinal);
        Assert.Equal(ConfigOverride.Parse("m", Whole).Keys, config.Keys);
        Assert.Contains("the middle of the levels, 2 of 3", Assert.Throws<BadRequestException>(() => ConfigOverride.Parse("m", text.Replace("\"default_priority_level\": \"2\"", "\"default_priority_level\": \"1\"", StringComparison.Ordinal))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"parameters":{"batchSize":{"string_value":"8"}},"max_batch_size":0}""", "batchSize=8")]
    [InlineData("""{"max_batch_size":0,"parameters":{"batchSize":{"string_value":"8"}}}""", "batchSize=8")]
    [InlineData("""{"max_batch_size":16,"parameters":{"batchSize":{"string_value":"8"}}}""", "batchSize=16")]
    [InlineData("""{"max_batch_size":0}""", "batchSize=1")]
    [InlineData("""{"response_cache":{}}""", "responseCache.enabled=false")]
    [InlineData("""{"dynamic_batching":{},"parameters":{"batching":{"string_value":"delayed"}}}""", "batching=delayed")]
    [InlineData("""{"dynamic_batching":{"max_queue_delay_microseconds":2500},"parameters":{"batching":{"string_value":"adaptive"}}}""", "batching=delayed maxBatchDelay=2500us")]
    [InlineData("""{"dynamic_batching":{"default_queue_policy":{"max_queue_size":0}},"parameters":{"maxQueueSize":{"string_value":"auto"}}}""", "batching=adaptive maxQueueSize=auto")]
    [InlineData("""{"dynamic_batching":{"default_queue_policy":{"max_queue_size":9}},"parameters":{"maxQueueSize":{"string_value":"auto"}}}""", "batching=adaptive maxQueueSize=9")]
    public void Fields_that_say_something_go_before_parameters(string config, string keys) =>
        Assert.Equal(keys, string.Join(' ', ConfigOverride.Parse("m", config).Keys.OrderBy(key => key.Key, StringComparer.Ordinal).Select(key => $"{key.Key}={key.Value}")));

    // Each value in turn is replaced by one of another kind.
    [Fact]
    public void What_is_of_a_wrong_kind_is_refused_by_its_name_or_means_nothing()
    {
        string[] others = ["null", "true", "-1", "1.5", "1e99", "\"x\"", "[]", "{}", "[1]", "[[]]", "[{}]", "{\"a\": 1}", "[null]"];
        var places = Places(JsonNode.Parse(Whole)!, []).ToList();
        Assert.True(places.Count > 30);
        foreach (var (place, other) in places.SelectMany(place => others.Select(other => (place, other))))
        {
            var text = Replaced(JsonNode.Parse(Whole)!, place, other);
            try
            {
                _ = ConfigOverride.Parse("m", text);
            }
            catch (BadRequestException e)
            {
                Assert.NotEmpty(e.Message);
            }
            catch (Exception e)
            {
                Assert.Fail($"{string.Join('.', place)} = {other}: {e}");
            }
        }
    }

    private static IEnumerable<object[]> Places(JsonNode node, object[] path) => node switch
    {
        JsonObject map => map.SelectMany(member => Below(member.Value!, [.. path, member.Key])),
        JsonArray list => list.SelectMany((item, at) => Below(item!, [.. path, at])),
        _ => [],
    };

    private static IEnumerable<object[]> Below(JsonNode node, object[] path) => Places(node, path).Prepend(path);

    private static string Replaced(JsonNode root, object[] path, string other)
    {
        var parent = path[..^1].Aggregate(root, static (node, step) => step is int at ? node[at]! : node[(string)step]!);
        if (path[^1] is int index) parent[index] = JsonNode.Parse(other);
        else parent[(string)path[^1]] = JsonNode.Parse(other);
        return root.ToJsonString();
    }
}
