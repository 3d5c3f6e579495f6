using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Core.Tensors;

public sealed class HandlerTensorTests
{
    private static readonly ModelSignature Signature = new(
        [new("a", TensorElement.Int32, [-1, 2]), new("b", TensorElement.String, [-1, 1])], [new("c", TensorElement.Float32, [-1, 1])], RowBatching.Dynamic);

    [Fact]
    public void A_request_s_tensors_are_read_by_name()
    {
        var request = Request(("a", "INT32[1,2]", [7, 0, 0, 0, 8, 0, 0, 0]), ("b", "BYTES[1,1]", BytesElements.Of("né")));

        SignatureCheck.Check(Signature, request);

        Assert.Equal([7, 8], request.Tensor("a")!.Elements<int>().ToArray());
        Assert.Equal([1, 2], request.Tensor("a")!.Shape);
        Assert.Equal(["né"], request.Tensor("b")!.Strings());
        Assert.Null(request.Tensor("z"));
        Assert.Equal(["a", "b"], request.Tensors().Select(tensor => tensor.Name));
    }

    [Fact]
    public void A_request_of_another_protocol_has_no_tensors() =>
        Assert.Throws<BadRequestException>(() => new HandlerRequest(1, [new RequestPart("a", "INT32[1]", new byte[4])], []).Tensor("a"));

    [Theory]
    [InlineData("There is no input 'z'", "z", "INT32[1,2]", 8)]
    [InlineData("'a' takes INT32; the request has INT64", "a", "INT64[1,2]", 16)]
    [InlineData("'a' takes the shape [-1,2]; the request has [1,3]", "a", "INT32[1,3]", 12)]
    [InlineData("'a' takes the shape [-1,2]; the request has [2]", "a", "INT32[2]", 8)]
    [InlineData("'a' has 7 bytes of data; INT32[1,2] takes 8", "a", "INT32[1,2]", 7)]
    [InlineData("'a' has the shape [4611686018427387904,2], which no tensor has", "a", "INT32[4611686018427387904,2]", 8)]
    [InlineData("'a' has no datatype and shape", "a", "INT32", 8)]
    [InlineData("'b' has a BYTES element (of 2 bytes together) whose length", "b", "BYTES[1,1]", 2)]
    [InlineData("'b' has 0 BYTES elements; BYTES[1,1] takes 1", "b", "BYTES[1,1]", 0)]
    [InlineData("'b' is missing", "a", "INT32[1,2]", 8)]
    public void What_does_not_fit_the_signature_is_said(string message, string name, string text, int bytes) =>
        Assert.Contains(message, Assert.Throws<BadRequestException>(() => SignatureCheck.Check(Signature, Request((name, text, new byte[bytes])))).Message, StringComparison.Ordinal);

    [Fact]
    public void Inputs_that_are_there_twice_or_have_different_rows_do_not_fit()
    {
        var one = ("a", "INT32[1,2]", new byte[8]);

        Assert.Contains("twice", Assert.Throws<BadRequestException>(() => SignatureCheck.Check(Signature, Request(one, one))).Message, StringComparison.Ordinal);
        Assert.Contains("'b' has 2, one before it 1", Assert.Throws<BadRequestException>(() => SignatureCheck.Check(Signature, Request(one, ("b", "BYTES[2,1]", new byte[8])))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Requested_outputs_are_those_that_are_named_or_all()
    {
        var all = Request();
        var one = new HandlerRequest(1, [], [new(HandlerTensors.OutputHeader, "x"), new("other", "y")]);

        Assert.True(all.Wants("x") && all.Wants("y"));
        Assert.True(one.Wants("x"));
        Assert.False(one.Wants("y"));
    }

    [Fact]
    public void An_answer_of_tensors_is_a_list_and_checks_itself()
    {
        var response = new WorkerResponse();
        response.SetTensors(OutputTensor.Of<float>("c", TensorElement.Float32, [1, 2], 1.5f, 2), OutputTensor.OfTexts("t", [1], "text"));

        Assert.Equal(TensorListWriter.ContentType, response.ContentType);
        var body = response.DetachBody(out var length);
        var list = new TensorListReader(body.AsSpan(0, length));
        Assert.True(list.TryRead(out var first));
        Assert.Equal(("c", 8), (first.Name, first.Data.Length));
        Assert.True(list.TryRead(out var second));
        Assert.Equal(BytesElements.Of("text"), second.Data.ToArray());

        Assert.Throws<InvalidOperationException>(() => new WorkerResponse().SetTensors(OutputTensor.Of<float>("c", TensorElement.Float32, [3], 1)));
    }

    [Fact]
    public void Rows_are_the_first_dimension_where_the_model_batches()
    {
        Assert.Equal(5, SignatureCheck.RowsOf(Signature, [5, 2]));
        Assert.Equal(1, SignatureCheck.RowsOf(Signature, [0, 2]));
        Assert.Equal(1, SignatureCheck.RowsOf(Signature with { Batching = RowBatching.None }, [5, 2]));
    }

    private static HandlerRequest Request(params (string Name, string Text, byte[] Data)[] parts) =>
        new(1, [.. parts.Select(part => new RequestPart(part.Name, part.Text, part.Data))], []) { CarriesTensors = true };
}
