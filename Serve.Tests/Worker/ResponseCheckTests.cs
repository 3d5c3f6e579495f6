using Serve.Core.Protocol;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Worker;

public sealed class ResponseCheckTests
{
    [Fact]
    public void What_means_something_else_to_the_server_is_refused()
    {
        var response = new WorkerResponse();
        response.Status = 418;
        response.ContentType = "application/json";
        Assert.Null(ResponseCheck.Problem(response));

        response.Status = 499;
        Assert.Equal("The handler set the status 499, which says to the server that the client is gone; use another.", ResponseCheck.Problem(response));

        response.Status = 400;
        response.ContentType = OutputFrame.ErrorContentType;
        Assert.StartsWith("The handler set the content type application/vnd.serve.error+json, which is of the server's own errors", ResponseCheck.Problem(response), StringComparison.Ordinal);
    }
}
