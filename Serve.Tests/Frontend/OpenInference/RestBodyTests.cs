using System.Text;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Tests.Frontend.OpenInference;

/// <summary>How a body is taken apart into JSON and the tensors behind it.</summary>
public sealed class RestBodyTests
{
    private const string Binary = """{"name":"a","shape":[3],"datatype":"UINT8","parameters":{"binary_data_size":3}}""";
    private const string Json = """{"name":"b","shape":[2],"datatype":"UINT8","data":[8,9]}""";
    private const string More = """{"name":"c","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":2}}""";

    [Fact]
    public void Binary_tensors_stay_where_they_are_and_follow_in_the_inputs_order()
    {
        var (request, body, length) = Read([Binary, Json, More], [1, 2, 3, 4, 5]);

        Assert.Equal([length, length + 5, length + 3], request.Inputs.Select(input => input.Offset));
        Assert.Equal<byte[]>([[1, 2, 3], [8, 9], [4, 5]], request.Inputs.Select(input => body[input.Offset..(input.Offset + input.Length)]));
    }

    [Fact]
    public void Without_binary_tensors_nothing_of_the_JSON_goes_on()
    {
        var (_, body, _) = Read([Json], []);

        Assert.Equal<byte>([8, 9], body);
    }

    [Theory]
    [InlineData(4, "unexpected size for input 'c', expecting 2 bytes, and 1 are left")]
    [InlineData(6, "unexpected additional input data: 1 bytes")]
    [InlineData(0, "unexpected size for input 'a'")]
    public void Too_few_bytes_and_too_many_are_refused(int bytes, string message) =>
        Assert.Contains(message, Assert.Throws<BadRequestException>(() => Read([Binary, More], new byte[bytes])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(null, 10, false)]
    [InlineData("0", 0, true)]
    [InlineData("7", 7, false)]
    [InlineData("10", 10, false)]
    [InlineData("11", null, false)]
    [InlineData("-1", null, false)]
    [InlineData("1.0", null, false)]
    [InlineData("", null, false)]
    [InlineData("99999999999999999999", null, false)]
    public void The_header_says_how_long_the_JSON_is(string? header, int? bytes, bool isRaw)
    {
        var context = new DefaultHttpContext();
        if (header is not null) context.Request.Headers[RestBody.LengthHeader] = header;
        if (bytes is null)
        {
            Assert.Contains(RestBody.LengthHeader, Assert.Throws<BadRequestException>(() => RestBody.JsonBytes(context.Request, 10, out _)).Message, StringComparison.Ordinal);
            return;
        }

        Assert.Equal((bytes.Value, isRaw), (RestBody.JsonBytes(context.Request, 10, out var raw), raw));
    }

    private static (TensorRequest Request, byte[] Body, int JsonBytes) Read(string[] inputs, byte[] binary)
    {
        var json = Encoding.UTF8.GetBytes($$"""{"inputs":[{{string.Join(',', inputs)}}]}""");
        var payload = RequestPayload.Rent(0);
        try
        {
            foreach (var piece in (byte[][])[json, binary])
            {
                piece.CopyTo(payload.GetSpan(piece.Length));
                payload.Advance(piece.Length);
            }

            return (RestBody.Read(ref payload, json.Length, 1 << 20), payload.Body.ToArray(), json.Length);
        }
        finally
        {
            payload.Release();
        }
    }
}
