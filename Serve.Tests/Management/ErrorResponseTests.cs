using System.Text;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Management.Http;

namespace Serve.Tests.Management;

public sealed class ErrorResponseTests
{
    [Fact]
    public async Task An_error_is_TorchServes_JSON()
    {
        var (status, text, _) = await AnswerAsync(new ModelNotFoundException("Model not found: \"größe\" <x>"));
        Assert.Equal(404, status);
        Assert.Equal("{\n  \"code\": 404,\n  \"type\": \"ModelNotFoundException\",\n  \"message\": \"Model not found: \\\"größe\\\" <x>\"\n}\n", text);
    }

    [Theory]
    [InlineData(0.0, "1")]
    [InlineData(0.2, "1")]
    [InlineData(1.0, "1")]
    [InlineData(1.1, "2")]
    [InlineData(30.0, "30")]
    public async Task Retry_after_is_whole_seconds_and_at_least_one(double seconds, string header)
    {
        var (status, _, headers) = await AnswerAsync(new ServiceUnavailableException("full", TimeSpan.FromSeconds(seconds)));
        Assert.Equal((503, header), (status, headers.RetryAfter.ToString()));
    }

    [Fact]
    public void An_unexpected_exception_tells_clients_nothing()
    {
        var error = ErrorResponse.From(new InvalidOperationException("secret"), new DefaultHttpContext());
        Assert.Equal(500, error.Status);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400, "BadRequestException")]
    [InlineData(408, "RequestTimeoutException")]
    public void What_Kestrel_refuses_keeps_its_status(int status, string type)
    {
        var error = ErrorResponse.From(new BadHttpRequestException("bad", status), new DefaultHttpContext());
        Assert.Equal((status, type), (error.Status, error.Type));
    }

    [Fact]
    public void A_client_that_has_left_is_not_an_error_of_the_server()
    {
        var context = new DefaultHttpContext { RequestAborted = new CancellationToken(canceled: true) };
        Assert.Equal(499, ErrorResponse.From(new OperationCanceledException(), context).Status);
        Assert.Equal(500, ErrorResponse.From(new OperationCanceledException(), new DefaultHttpContext()).Status);
    }

    private static async Task<(int Status, string Text, IHeaderDictionary Headers)> AnswerAsync(ServeException error)
    {
        var body = new MemoryStream();
        var context = new DefaultHttpContext { Response = { Body = body } };
        var status = await ErrorResponse.WriteAsync(context, error);
        Assert.Equal(status, context.Response.StatusCode);
        return (status, Encoding.UTF8.GetString(body.ToArray()), context.Response.Headers);
    }
}
