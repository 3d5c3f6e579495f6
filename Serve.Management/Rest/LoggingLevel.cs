using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>GET /logging</c> and <c>PUT /logging?level=debug</c>: the lowest level that the server logs, until it ends.</summary>
internal sealed class LoggingLevel(LogLevelSwitch level)
{
    public Task GetAsync(HttpContext context) => PrettyJson.WriteAsync(context, StatusCodes.Status200OK, new LoggingBody(level.Name), ManagementJson.Default.LoggingBody);

    public async Task PutAsync(HttpContext context)
    {
        var name = (await RequestParameters.ReadAsync(context)).Text("level") ?? throw new BadRequestException("Parameter level is required.");
        level.Minimum = LogLevelSwitch.Parse(name) ?? throw new BadRequestException($"Parameter level must be one of {string.Join(", ", LogLevelSwitch.Names)}, not \"{name}\".");
        await GetAsync(context);
    }
}

/// <summary>How much is logged.</summary>
public sealed record LoggingBody(string Level);
