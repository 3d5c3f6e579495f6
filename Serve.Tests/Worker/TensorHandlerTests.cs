using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.BuiltIn;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker;

public sealed class TensorHandlerTests
{
    [Theory]
    [InlineData(nameof(DataType.Float), "[1.5,-2,3.4028235E+38,1E-45]")]
    [InlineData(nameof(DataType.Double), "[1.5,-2,1.7976931348623157E+308,5E-324]")]
    [InlineData(nameof(DataType.Float16), "[1.5,-2,65504,0.1]", "[1.5,-2,65500,0.1]")]
    [InlineData(nameof(DataType.Bfloat16), "[1.5,-2,3.38953139E38,0.1]", "[1.5,-2,3.3895314E+38,0.100097656]")]
    [InlineData(nameof(DataType.Int64), "[1,-9223372036854775808,9223372036854775807,0]")]
    [InlineData(nameof(DataType.Uint64), "[1,18446744073709551615,2,0]")]
    [InlineData(nameof(DataType.Int32), "[1,-2147483648,2147483647,0]")]
    [InlineData(nameof(DataType.Uint32), "[1,4294967295,2,0]")]
    [InlineData(nameof(DataType.Int16), "[1,-32768,32767,0]")]
    [InlineData(nameof(DataType.Uint16), "[1,65535,2,0]")]
    [InlineData(nameof(DataType.Int8), "[1,-128,127,0]")]
    [InlineData(nameof(DataType.Uint8), "[1,255,2,0]")]
    [InlineData(nameof(DataType.Bool), "[true,false,1,0]", "[true,false,true,false]")]
    [InlineData(nameof(DataType.String), """["a","","b\"c\\d","äöü🙂"]""", """["a","","b\"c\\d","äöü\uD83D\uDE42"]""")]
    [InlineData(nameof(DataType.Float), """["NaN","Infinity","-Infinity",0]""")]
    [InlineData(nameof(DataType.Float16), """["NaN","Infinity","-Infinity",0]""")]
    [InlineData(nameof(DataType.Bfloat16), """["NaN","Infinity","-Infinity",0]""")]
    [InlineData(nameof(DataType.Double), """["NaN","Infinity","-Infinity",0]""")]
    [InlineData(nameof(DataType.Int32), "[1.0,1e2,-3.0,0]", "[1,100,-3,0]")]
    public void Every_element_type_goes_in_and_comes_out(string type, string json, string? expected = null)
    {
        using var model = Identity(Enum.Parse<DataType>(type), "batch", 4);

        Assert.Equal(expected ?? json, model.Run(json));
        Assert.Equal($"[{expected ?? json}]", model.Run($"[{json}]"));
    }

    [Fact]
    public void A_list_of_the_models_rank_is_several_rows_and_its_answer_keeps_them()
    {
        using var model = Identity(DataType.Int32, "batch", 2, "n");

        Assert.Equal("[[1,2,3],[4,5,6]]", model.Run("[[1,2,3],[4,5,6]]"));
        Assert.Equal("[[[1],[2]]]", model.Run("[[[1],[2]]]"));
        Assert.Equal("[[[1],[2]],[[3],[4]],[[5],[6]]]", model.Run("[[[1],[2]],[[3],[4]],[[5],[6]]]"));
        Assert.Equal("[[],[]]", model.Run("[[],[]]"));
    }

    [Fact]
    public void Several_inputs_and_outputs_are_objects_by_name()
    {
        using var model = new InProcessModel(new TensorHandler(), SmallModels.SumAndDifference);

        Assert.Equal("""{"sum":[4,6],"difference":[-2,-2]}""", model.Run("""{"a":[1,2],"b":[3,4]}"""));
        Assert.Equal("""{"sum":[[4,6],[8,10]],"difference":[[-2,-2],[-2,-2]]}""", model.Run("""{"b":[[3,4],[5,6]],"a":[[1,2],[3,4]]}"""));
    }

    [Theory]
    [InlineData("""{"a":[1,2]}""", "The input 'b' is missing; the model's inputs are 'a', 'b'.")]
    [InlineData("""{"a":[1,2],"b":[1,2],"c":[1]}""", "The model has no input 'c' (byte 21); its inputs are 'a', 'b'.")]
    [InlineData("""{"a":[1,2],"a":[1,2]}""", "The input 'a' is there twice, again at byte 11.")]
    [InlineData("""{"a":[1,2],"b":[[1,2],[3,4]]}""", "The inputs do not have the same number of rows: 'a' has 1, 'b' 2.")]
    [InlineData("[1,2]", "The model has 2 inputs: the body must be an object with the lists 'a', 'b'.")]
    [InlineData("""{"a":[1,2,3],"b":[1,2,3]}""", "The model's input 'a' takes the shape [2] a row; the request has [3].")]
    public void Inputs_that_do_not_fit_are_refused_by_name(string json, string message)
    {
        using var model = new InProcessModel(new TensorHandler(), SmallModels.SumAndDifference);

        Assert.Equal(message, Assert.Throws<BadRequestException>(() => model.Run(json)).Message);
    }

    [Theory]
    [InlineData("", "The body is empty")]
    [InlineData("[1,2", "The body is not valid JSON")]
    [InlineData("[1,2,3]x", "The body is not valid JSON")]
    [InlineData("[1,2,3] [4]", "The body is not valid JSON")]
    [InlineData("[1,,2]", "The body is not valid JSON")]
    [InlineData("[[1,2],[3]]", "Input 'x': the list has 1 elements, its neighbours have 2 at $[1], byte 9.")]
    [InlineData("[[1,2],3]", "Input 'x': a value stands where a list stands elsewhere at $[1], byte 7.")]
    [InlineData("[1,[2]]", "Input 'x': a list stands where numbers stand elsewhere at $[1], byte 3.")]
    [InlineData("[1,{}]", "Input 'x': an object stands where a number or list must stand at $[1], byte 3.")]
    [InlineData("[1,\"2\"]", "Input 'x': \"2\" is not a whole number from -2147483648 to 2147483647 at $[1], byte 3.")]
    [InlineData("[1,2.5]", "Input 'x': 2.5 is not a whole number from -2147483648 to 2147483647 at $[1], byte 3.")]
    [InlineData("[1,2147483648]", "Input 'x': 2147483648 is not a whole number from -2147483648 to 2147483647 at $[1], byte 3.")]
    [InlineData("[1,1e400]", "Input 'x': 1e400 is not a whole number from -2147483648 to 2147483647 at $[1], byte 3.")]
    [InlineData("[1,null]", "Input 'x': null is not a whole number from -2147483648 to 2147483647 at $[1], byte 3.")]
    [InlineData("7", "The input 'x' takes lists nested 1 deep for one row, or 2 deep for several; the request's are nested 0 deep.")]
    [InlineData("[]", "The request has no rows.", true)]
    [InlineData("[[[1]]]", "The input 'x' takes lists nested 1 deep for one row, or 2 deep for several; the request's are nested 3 deep.")]
    [InlineData("[[1],[2],[3],[4],[5],[6],[7],[8],[9]]", "A request of this model can have 1 to 8 rows, because batchSize is 8; this one has 9.")]
    public void What_is_not_a_tensor_of_the_models_is_refused_with_its_place(string json, string message, bool scalarRows = false)
    {
        using var model = scalarRows ? Identity(DataType.Int32, "batch") : Identity(DataType.Int32, "batch", "n");

        Assert.StartsWith(message, Assert.Throws<BadRequestException>(() => model.Run(json)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_float_that_is_too_large_is_refused()
    {
        using var model = Identity(DataType.Float16, "batch", "n");

        Assert.Equal("Input 'x': 65520 is not a float16 at $[0], byte 1.", Assert.Throws<BadRequestException>(() => model.Run("[65520]")).Message);
    }

    [Fact]
    public void Lists_nested_without_end_are_refused()
    {
        using var model = Identity(DataType.Float, "batch", "n");

        Assert.Throws<BadRequestException>(() => model.Run(new string('[', 100_000)));
        Assert.Throws<BadRequestException>(() => model.Run(new string('[', 40) + "1" + new string(']', 40)));
    }

    [Fact]
    public void More_elements_than_an_input_can_take_are_refused_before_all_of_them_are_read()
    {
        using var model = Identity(DataType.Double, "batch", 10);
        var json = "[[" + string.Join(',', Enumerable.Repeat('0', 10_000_000)) + "]]";
        var before = GC.GetAllocatedBytesForCurrentThread();

        var error = Assert.Throws<BadRequestException>(() => model.Run(json));

        Assert.StartsWith("Input 'x': there are more than 65536 elements, which the input does not take at $[0][65536], byte ", error.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 3 * json.Length); // the body, and two megabytes
    }

    [Fact]
    public void A_list_of_many_strings_is_not_kept_for_the_next_request()
    {
        var reader = new TensorJsonReader();
        reader.Strings.AddRange(Enumerable.Repeat("", 3_000_000));
        reader.Clear();
        Assert.Equal(0, reader.Strings.Capacity);

        reader.Strings.AddRange(Enumerable.Repeat("", 1_000));
        reader.Clear();
        Assert.InRange(reader.Strings.Capacity, 1_000, int.MaxValue);
    }

    [Fact]
    public void A_model_without_batch_dimension_takes_whole_tensors()
    {
        using var model = Identity(DataType.Float, 2, 2);

        Assert.Equal(RowBatching.None, model.Model.Signature.Batching);
        Assert.Equal("[[1,2],[3,4]]", model.Run("[[1,2],[3,4]]"));
        Assert.Throws<BadRequestException>(() => model.Run("[1,2]"));
    }

    [Fact]
    public void A_model_with_a_fixed_batch_of_one_takes_single_rows()
    {
        using var model = Identity(DataType.Float, 1, 2);

        Assert.Equal(RowBatching.FixedOne, model.Model.Signature.Batching);
        Assert.Equal("the model was exported with a fixed batch of one: rows run one by one; re-export with a dynamic batch", Assert.Single(model.Model.Notes));
        Assert.Equal("[1,2]", model.Run("[1,2]"));
        Assert.Equal("[[1,2]]", model.Run("[[1,2]]"));
        Assert.Throws<BadRequestException>(() => model.Run("[[1,2],[3,4]]"));
    }

    [Fact]
    public void A_scalar_model_takes_a_bare_number()
    {
        using var model = Identity(DataType.Float);

        Assert.Equal("2.5", model.Run("2.5"));
    }

    private static InProcessModel Identity(DataType type, params Serve.Core.Onnx.OnnxDimension[] shape) =>
        new(new TensorHandler(), file => SmallModels.Identity(file, type, shape));
}
