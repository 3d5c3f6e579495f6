using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Tests.Frontend.OpenInference;

/// <summary>An answer's JSON, and classes in place of tensors.</summary>
public sealed class AnswerJsonWriterTests
{
    [Fact]
    public void An_answer_has_what_the_protocol_says()
    {
        var request = new TensorRequest { Id = "42" };
        request.Outputs.Add(new RequestedOutput("b") { IsBinary = true });

        var json = Write(request, [new("finish", "length")], Tensor<int>("a", TensorElement.Int32, [1, 2], 1, -2), Tensor<byte>("b", TensorElement.UInt8, [3], 1, 2, 3) with { Requested = request.Outputs[0] });

        Assert.Equal(
            """{"model_name":"m","model_version":"1.0","id":"42","parameters":{"finish":"length"},"outputs":[{"name":"a","datatype":"INT32","shape":[1,2],"data":[1,-2]},{"name":"b","datatype":"UINT8","shape":[3],"parameters":{"binary_data_size":3}}]}""",
            json);
    }

    [Fact]
    public void What_there_is_none_of_is_left_out() =>
        Assert.Equal("""{"model_name":"m","model_version":"1.0","outputs":[]}""", Write(new TensorRequest { Id = "" }, []));

    [Fact]
    public void Numbers_are_written_so_that_they_come_back()
    {
        Assert.Equal("[1,-0,0.1,3.4028235E+38,1E-45,\"NaN\",\"Infinity\",\"-Infinity\"]", Data(Tensor("x", TensorElement.Float32, [8], 1f, -0f, 0.1f, float.MaxValue, float.Epsilon, float.NaN, float.PositiveInfinity, float.NegativeInfinity)));
        Assert.Equal("[0.1,1.7976931348623157E+308,\"NaN\"]", Data(Tensor("x", TensorElement.Float64, [3], 0.1, double.MaxValue, double.NaN)));
        Assert.Equal("[-128,127]", Data(Tensor<sbyte>("x", TensorElement.Int8, [2], -128, 127)));
        Assert.Equal("[-9223372036854775808]", Data(Tensor("x", TensorElement.Int64, [1], long.MinValue)));
        Assert.Equal("[18446744073709551615]", Data(Tensor("x", TensorElement.UInt64, [1], ulong.MaxValue)));
        Assert.Equal("[true,false]", Data(Tensor<byte>("x", TensorElement.Bool, [2], 1, 0)));
        Assert.Equal("[]", Data(Tensor<float>("x", TensorElement.Float32, [0, 3])));
        Assert.Equal("""["a\"é\n",""]""", Data(new AnswerTensor("x", TensorElement.String, [2], BytesElements.Of("a\"é\n", ""), null)));
    }

    [Fact]
    public void Many_numbers_are_written_as_few_are()
    {
        var numbers = Enumerable.Range(0, 1000).Select(number => number * 0.1f).ToArray();
        var json = JsonDocument.Parse(Data(Tensor("x", TensorElement.Float32, [1000], numbers))).RootElement;
        Assert.Equal(numbers, json.EnumerateArray().Select(number => number.GetSingle()));
    }

    [Fact]
    public void What_JSON_cannot_carry_is_refused_with_a_way_out()
    {
        Assert.Contains("binary", Assert.Throws<BadRequestException>(() => Data(new AnswerTensor("x", TensorElement.String, [1], new byte[] { 1, 0, 0, 0, 0xFF }, null))).Message, StringComparison.Ordinal);
        Assert.Contains("FP16", Assert.Throws<BadRequestException>(() => Data(Tensor<ushort>("x", TensorElement.Float16, [1], 0))).Message, StringComparison.Ordinal);
        Assert.Equal("[1]", Data(Tensor<byte>("x", TensorElement.UInt8, [1], 1)));
    }

    [Fact]
    public void Classes_are_the_largest_of_each_row_with_index_and_label()
    {
        var tensor = Tensor("y", TensorElement.Float32, [2, 3], 0.5f, 3.3f, -1f, 2f, 2f, 7f);

        var classes = Classification.Of(tensor, 2, isBatched: true, ["cat", "dog"]);
        Assert.Equal(TensorElement.String, classes.Element);
        Assert.Equal([2, 2], classes.Shape);
        Assert.Equal(["3.300000:1:dog", "0.500000:0:cat", "7.000000:2", "2.000000:0:cat"], Texts(classes));

        var whole = Classification.Of(tensor, 10, isBatched: false, []);
        Assert.Equal([6], whole.Shape);
        Assert.Equal("7.000000:5", Texts(whole)[0]);
        Assert.Equal(["5:1", "-3:0"], Texts(Classification.Of(Tensor<long>("y", TensorElement.Int64, [1, 2], -3, 5), 5, isBatched: true, [])));
        Assert.Equal("NaN:1", Texts(Classification.Of(Tensor("y", TensorElement.Float32, [2], 1f, float.NaN), 5, isBatched: false, []))[^1]);
        Assert.Empty(Texts(Classification.Of(Tensor<float>("y", TensorElement.Float32, [0, 3]), 5, isBatched: true, [])));
    }

    private static List<string> Texts(AnswerTensor tensor)
    {
        List<string> texts = [];
        var rest = tensor.Data.Span;
        while (BytesElements.TryTake(ref rest, out var element)) texts.Add(Encoding.UTF8.GetString(element));
        return texts;
    }

    private static string Data(AnswerTensor tensor)
    {
        var json = Write(new TensorRequest(), [], tensor);
        var from = json.IndexOf("\"data\":", StringComparison.Ordinal) + 7;
        return json[from..^3];
    }

    private static string Write(TensorRequest request, List<KeyValuePair<string, string>> parameters, params List<AnswerTensor> tensors)
    {
        var text = new ArrayBufferWriter<byte>();
        AnswerJsonWriter.Write(text, request, "m", "1.0", parameters, tensors);
        JsonDocument.Parse(text.WrittenMemory).Dispose();
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private static AnswerTensor Tensor<T>(string name, TensorElement element, long[] shape, params T[] elements)
        where T : unmanaged => new(name, element, shape, MemoryMarshal.AsBytes(elements.AsSpan()).ToArray(), null);
}
