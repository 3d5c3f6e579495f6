using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Tensors;
using Serve.Frontend.OpenInference.Infer;
using Serve.Tests.Fuzzing;

namespace Serve.Tests.Frontend.OpenInference;

/// <summary>What becomes of a request's JSON, and what is refused.</summary>
public sealed class RequestJsonReaderTests
{
    private const long MostBytes = 1 << 20;

    private static readonly byte[][] Words = [.. ((string[])["\"", "[", "]", "{", "}", ",", ":", "null", "true", "-1", "1e400", "9223372036854775808", "\"data\"", "\"shape\"", "\"datatype\"", "\"parameters\"", "\"binary_data_size\"", "\"BYTES\"", "\\ud800", "\\u0000", "\\"]).Select(Encoding.UTF8.GetBytes), [0xFF], [0xC3]];

    [Fact]
    public void A_request_is_read_whole()
    {
        var (request, _) = Read("""
            {"id": "42", "unknown": {"a": [1, {"b": 2}]},
             "parameters": {"priority": 2, "timeout": 1500, "binary_data_output": true, "temperature": 0.5, "mode": "fast", "seed": 7, "verbose": false, "sequence_id": 3, "sequence_start": true},
             "inputs": [{"name": "x", "shape": [2, 1], "datatype": "INT32", "parameters": {"mine": "ignored"}, "data": [[1], [-2]]}],
             "outputs": [{"name": "y", "parameters": {"binary_data": false}}, {"name": "z", "parameters": {"classification": 3}}]}
            """);

        Assert.Equal(("42", 2UL, 1500UL, true), (request.Id, request.Priority, request.TimeoutMicroseconds, request.IsBinaryByDefault));
        Assert.Equal(
            [new("temperature", "0.5"), new("mode", "fast"), new("seed", "7"), new("verbose", "false"), new("sequence_id", "3"), new("sequence_start", "true")],
            request.Parameters);
        var input = Assert.Single(request.Inputs);
        Assert.Equal(("x", TensorElement.Int32, TensorSource.Parsed), (input.Name, input.Element, input.Source));
        Assert.Equal([2, 1], input.Shape);
        Assert.Equal([("y", false, 0L), ("z", null, 3L)], request.Outputs.Select(output => (output.Name, output.IsBinary, output.Classes)));
    }

    [Theory]
    [InlineData("INT8", "[-128, 127]", "807F")]
    [InlineData("INT16", "[-32768, 32767]", "0080FF7F")]
    [InlineData("INT32", "[-2147483648, 2147483647]", "00000080FFFFFF7F")]
    [InlineData("INT64", "[-9223372036854775808, 9223372036854775807]", "0000000000000080FFFFFFFFFFFFFF7F")]
    [InlineData("UINT8", "[0, 255]", "00FF")]
    [InlineData("UINT16", "[0, 65535]", "0000FFFF")]
    [InlineData("UINT32", "[0, 4294967295]", "00000000FFFFFFFF")]
    [InlineData("UINT64", "[0, 18446744073709551615]", "0000000000000000FFFFFFFFFFFFFFFF")]
    [InlineData("FP32", "[1, -0.0]", "0000803F00000080")]
    [InlineData("FP32", "[\"NaN\", \"-Infinity\"]", "0000C0FF000080FF")]
    [InlineData("FP64", "[\"Infinity\", 1e308]", "000000000000F07FA0C8EB85F3CCE17F")]
    [InlineData("BOOL", "[true, false]", "0100")]
    [InlineData("BYTES", "[\"\", \"a\\u00e9\\n\"]", "000000000400000061C3A90A")]
    public void Elements_become_their_bytes(string datatype, string data, string bytes)
    {
        var (request, tensors) = Read(One(datatype, "[2]", data));

        Assert.Equal(bytes, Convert.ToHexString(Bytes(request.Inputs[0], tensors)));
    }

    [Fact]
    public void The_data_may_stand_before_what_it_is_and_be_nested_in_any_way()
    {
        foreach (var data in (string[])["[1,2,3,4]", "[[1,2],[3,4]]", "[[[1],[2,3]],4]"])
        {
            var (request, tensors) = Read($$"""{"inputs":[{"data":{{data}},"shape":[2,2],"name":"x","datatype":"UINT8"}]}""");
            Assert.Equal<byte>([1, 2, 3, 4], Bytes(request.Inputs[0], tensors));
        }
    }

    [Fact]
    public void Tensors_without_elements_are_tensors()
    {
        foreach (var (shape, data) in (ValueTuple<string, string>[])[("[0]", "[]"), ("[2,0,3]", "[[],[]]"), ("[0,7]", "[]")])
        {
            foreach (var datatype in Datatypes.All.Where(element => element is not (TensorElement.Float16 or TensorElement.BFloat16)))
            {
                var (request, tensors) = Read(One(datatype.Datatype(), shape, data));
                Assert.Empty(Bytes(request.Inputs[0], tensors));
            }
        }

        var (scalar, bytes) = Read(One("INT32", "[]", "[5]"));
        Assert.Equal<byte>([5, 0, 0, 0], Bytes(scalar.Inputs[0], bytes));
    }

    [Fact]
    public void Numbers_come_back_bit_for_bit() => FuzzRun.Run(500, static random =>
    {
        var values = new float[16];
        for (var i = 0; i < values.Length; i++)
        {
            do values[i] = BitConverter.Int32BitsToSingle((int)random.NextInt64(int.MinValue, int.MaxValue + 1L));
            while (!float.IsFinite(values[i]));
        }

        var (request, tensors) = Read(One("FP32", "[4,4]", $"[{string.Join(", ", values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)))}]"));
        Assert.Equal(MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), Bytes(request.Inputs[0], tensors));
    });

    [Theory]
    [InlineData("", "failed to parse")]
    [InlineData("[]", "must be an object (byte 0)")]
    [InlineData("{}", "no 'inputs'")]
    [InlineData("{\"inputs\":[]} x", "failed to parse")]
    [InlineData("{\"inputs\":[]}{}", "failed to parse")]
    [InlineData("{\"inputs\":[],\"inputs\":[]}", "'inputs' stands twice (byte 13)")]
    [InlineData("{\"a\":1,\"a\":2,\"inputs\":[]}", "'a' stands twice")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"a\":1,\"a\":1}}", "'a' stands twice")]
    [InlineData("{\"id\":5,\"inputs\":[]}", "'id' must be a text")]
    [InlineData("{\"id\":\"\\ud800\",\"inputs\":[]}", "failed to parse")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"triton_x\":1}}", "triton_")]
    [InlineData("{\"inputs\":[],\"parameters\":{\":output\":\"y\"}}", "cannot be the name")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"priority\":-1}}", "'priority' must be a whole number from 0, not -1")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"timeout\":1.5}}", "'timeout'")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"binary_data_output\":1}}", "'binary_data_output' must be true or false")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"x\":[1]}}", "'x' must be a text, a number, true or false")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"headers\":\"x\"}}", "reserved")]
    [InlineData("{\"inputs\":[],\"parameters\":{\"x\":null}}", "'x' must be a text")]
    [InlineData("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":null}}]}", "'classification' must be a text, a number")]
    [InlineData("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"shared_memory_region\":\"r\",\"shared_memory_byte_size\":8,\"binary_data\":true}}]}", "can't have both 'shared_memory_region' and 'binary_data'")]
    [InlineData("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":0}}]}", "'classification'")]
    [InlineData("{\"inputs\":[],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":1000001}}]}", "'classification'")]
    [InlineData("{\"inputs\":[],\"outputs\":[{}]}", "no 'name'")]
    [InlineData("{\"inputs\":[{\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1]}]}", "no 'name'")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"INT8\",\"data\":[1]}]}", "no 'shape'")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"data\":[1]}]}", "no 'datatype'")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\"}]}", "exactly one of 'data', 'binary_data_size' and 'shared_memory_region'")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"data\":[1],\"parameters\":{\"binary_data_size\":1}}]}", "exactly one of")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"binary_data_size\":-1}}]}", "'binary_data_size'")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"binary_data_size\":4294967296}}]}", "too large")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"INT8\",\"parameters\":{\"shared_memory_region\":\"r\"}}]}", "'shared_memory_byte_size'")]
    public void What_is_no_request_is_refused(string json, string message) => Refused(json, message);

    [Theory]
    [InlineData("INT128", "[1]", "[1]", "'INT128' is no datatype")]
    [InlineData("int8", "[1]", "[1]", "is no datatype")]
    [InlineData("FP16", "[1]", "[1]", "FP16 data via JSON is not supported")]
    [InlineData("BF16", "[1]", "[1]", "BF16 data via JSON is not supported")]
    [InlineData("INT8", "[-1]", "[1]", "not -1")]
    [InlineData("INT8", "[1.0]", "[1]", "not 1.0")]
    [InlineData("INT8", "[9223372036854775808]", "[1]", "'shape' must be a whole number")]
    [InlineData("INT8", "[4294967296,4294967296]", "[1]", "too many elements")]
    [InlineData("INT8", "[0,4294967296,4294967296]", "[]", "too many elements")]
    [InlineData("INT8", "[1000000000000]", "[1]", "Shape does not match true shape of 'data' field")]
    [InlineData("INT8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]", "at most 32 dimensions")]
    [InlineData("INT8", "1", "[1]", "a 'shape' must be a list")]
    [InlineData("INT8", "[3]", "[1,2]", "needs 3 elements, and 'data' has 2")]
    [InlineData("INT8", "[1]", "[1,2]", "Shape does not match true shape of 'data' field")]
    [InlineData("BYTES", "[2]", "[\"a\"]", "needs 2 elements, and 'data' has 1")]
    [InlineData("INT8", "[1]", "1", "'data' must be a list")]
    [InlineData("INT8", "[2]", "[1,128]", "128 is not a whole number from -128 to 127: element 1 of 'data', byte ")]
    [InlineData("INT8", "[1]", "[1.0]", "1.0 is not a whole number")]
    [InlineData("UINT64", "[1]", "[-1]", "-1 is not a whole number")]
    [InlineData("INT64", "[1]", "[9223372036854775808]", "is not a whole number")]
    [InlineData("FP32", "[1]", "[1e39]", "1e39 is not an FP32 number")]
    [InlineData("FP64", "[1]", "[1e400]", "1e400 is not an FP64 number")]
    [InlineData("FP32", "[1]", "[\"nan\"]", "\"nan\" is not an FP32 number")]
    [InlineData("FP32", "[1]", "[null]", "null is not an FP32 number")]
    [InlineData("BOOL", "[1]", "[1]", "1 is not true or false")]
    [InlineData("BYTES", "[1]", "[1]", "1 is not a text")]
    [InlineData("FP32", "[1]", "[{}]", "an object is not an FP32 number")]
    [InlineData("FP32", "[1]", "[01]", "failed to parse")]
    [InlineData("BYTES", "[1]", "[\"\\ud800\"]", "failed to parse")]
    public void What_is_no_tensor_is_refused(string datatype, string shape, string data, string message)
    {
        Refused(One(datatype, shape, data), message);
        Refused($$"""{"inputs":[{"data":{{data}},"datatype":"{{datatype}}","name":"x","shape":{{shape}}}]}""", message);
    }

    // As tritonclient's set_shared_memory writes it.
    [Fact]
    public void An_output_in_shared_memory_may_say_that_it_is_not_binary()
    {
        var (request, _) = Read("""{"inputs":[],"outputs":[{"name":"y","parameters":{"binary_data":false,"shared_memory_region":"r","shared_memory_byte_size":8}}]}""");

        Assert.Equal(new SharedMemoryPlace("r", 0, 8), Assert.Single(request.Outputs).SharedMemory);
    }

    [Fact]
    public void Parameters_of_tensors_that_mean_nothing_may_have_any_value()
    {
        foreach (var value in (string[])["null", "[1,{\"a\":[]}]", "{\"b\":null}", "\"x\"", "1e999", new string('7', 1000)])
        {
            var (request, tensors) = Read($$$"""{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","parameters":{"mine":{{{value}}},"classification":{{{value}}}},"data":[5]}],"outputs":[{"name":"y","parameters":{"mine":{{{value}}},"binary_data_size":{{{value}}},"classification":2}}]}""");

            Assert.Equal<byte>([5], Bytes(Assert.Single(request.Inputs), tensors));
            Assert.Equal(2, Assert.Single(request.Outputs).Classes);
        }
    }

    [Fact]
    public void A_number_comes_whole_or_is_refused()
    {
        var digits = new string('7', 400);

        Assert.Equal(new("x", digits), Assert.Single(Read($$$"""{"inputs":[],"parameters":{"x":{{{digits}}}}}""").Request.Parameters));
        Refused($$$"""{"inputs":[],"parameters":{"x":{{{digits}}}7}}""", "parameter 'x' is a number of 401 characters, and may have 400");
    }

    [Fact]
    public void The_place_of_a_fault_is_that_in_the_request()
    {
        var json = One("INT8", "[3]", "[1, 2, 300]");
        Refused(json, $"element 2 of 'data', byte {json.IndexOf("300", StringComparison.Ordinal)}");
        var before = """{"inputs":[{"data":[1, 300],"name":"x","shape":[2],"datatype":"INT8"}]}""";
        Refused(before, $"element 1 of 'data', byte {before.IndexOf("300", StringComparison.Ordinal)}");
    }

    [Fact]
    public void Nesting_deeper_than_100_and_invalid_utf8_are_refused()
    {
        Refused($$"""{"a":{{new string('[', 100)}}{{new string(']', 100)}},"inputs":[]}""", "failed to parse");
        Read($$"""{"a":{{new string('[', 99)}}{{new string(']', 99)}},"inputs":[]}""");
        var text = Encoding.UTF8.GetBytes(One("BYTES", "[1]", "[\"abc\"]"));
        text[Array.IndexOf(text, (byte)'b')] = 0xFF;
        var error = Assert.Throws<BadRequestException>(() => Read(text));
        Assert.Contains("UTF-8", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_that_grow_beyond_the_limit_are_refused()
    {
        var numbers = string.Join(',', Enumerable.Repeat("1", 200_000));
        Assert.Throws<PayloadTooLargeException>(() => Read(One("FP64", "[200000]", $"[{numbers}]")));
        Read(One("FP32", "[200000]", $"[{numbers}]"));
    }

    [Fact]
    public void Damaged_requests_are_the_clients_fault() => FuzzRun.Run(3000, static random =>
    {
        var good = Encoding.UTF8.GetBytes("""{"id":"1","parameters":{"priority":1,"x":"y"},"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[[1.5,2],[3,4e2]]},{"name":"b","datatype":"BYTES","data":["x","\u00e9"],"shape":[2]},{"name":"c","shape":[3],"datatype":"INT8","parameters":{"binary_data_size":3}}],"outputs":[{"name":"o","parameters":{"binary_data":true}}]}""");
        try
        {
            var (request, tensors) = Read(Mutator.Mutate(random, good, good, Words));
            foreach (var input in request.Inputs.Where(input => input.Source == TensorSource.Parsed))
            {
                Assert.Null(TensorData.Fault(input.Element, input.Shape, Bytes(input, tensors)));
            }
        }
        catch (ServeException e) when (e.Status is 400 or 413)
        {
            Assert.NotEmpty(e.Message);
        }
    });

    private static string One(string datatype, string shape, string data) => $$"""{"inputs":[{"name":"x","shape":{{shape}},"datatype":"{{datatype}}","data":{{data}}}]}""";

    private static void Refused(string json, string message) => Assert.Contains(message, Assert.Throws<BadRequestException>(() => Read(json)).Message, StringComparison.Ordinal);

    private static (TensorRequest Request, byte[] Tensors) Read(string json) => Read(Encoding.UTF8.GetBytes(json));

    private static (TensorRequest Request, byte[] Tensors) Read(byte[] json)
    {
        var request = new TensorRequest();
        var tensors = RequestPayload.Rent(0);
        try
        {
            RequestJsonReader.Read(json, request, tensors, MostBytes);
            return (request, tensors.Body.ToArray());
        }
        finally
        {
            tensors.Release();
        }
    }

    private static byte[] Bytes(TensorInput input, byte[] tensors) => tensors[input.Offset..(input.Offset + input.Length)];
}
