using System.Globalization;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;

namespace Serve.Frontend.Inference;

/// <summary>What a client may ask for one request, by headers.</summary>
internal static class RequestOptions
{
    public const string PriorityHeader = "x-serve-priority";
    public const string TimeoutHeader = "x-serve-timeout-ms";

    /// <summary>Reads priority and timeout. Hot path.</summary>
    public static InferenceOptions Read(IHeaderDictionary headers)
    {
        var priority = Number(headers, PriorityHeader, least: 0);
        var timeout = Number(headers, TimeoutHeader, least: 1);
        return new InferenceOptions(priority, timeout is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null);
    }

    private static int? Number(IHeaderDictionary headers, string name, int least)
    {
        if (!headers.TryGetValue(name, out var values)) return null;
        if (values is [{ } text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least) return number;
        throw new BadRequestException($"Header {name} must be one whole number of at least {least}, not \"{values}\".");
    }
}
