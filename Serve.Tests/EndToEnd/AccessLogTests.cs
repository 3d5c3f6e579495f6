using System.Text.RegularExpressions;

namespace Serve.Tests.EndToEnd;

public sealed partial class AccessLogTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Each_request_is_a_line_as_TorchServe_writes_it()
    {
        await using var server = await HandlerServer.StartAsync(output, "--access-log", "true", "--logging-access-format", "torchserve");
        await server.GetAsync("/predictions/none?a=1");
        await server.WaitForLogAsync(line => Line().IsMatch(line));
    }

    [GeneratedRegex(@"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2},\d{3} - /127\.0\.0\.1:\d+ ""GET /predictions/none\?a=1 HTTP/1\.1"" 404 \d+$")]
    private static partial Regex Line();
}
