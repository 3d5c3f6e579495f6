using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Serve.Core.Errors;

namespace Serve.Management.Http;

/// <summary>
/// The snake_case parameters of a management request: from the query, from a JSON object with the same names, or from the
/// fields of a gRPC message. Strict:
/// a value that does not parse is a 400 that names parameter and value, never a silent default.
/// </summary>
public sealed class RequestParameters
{
    private const int LargestBodyBytes = 256 << 10;

    private readonly IQueryCollection _query;
    private readonly JsonElement _body;

    private RequestParameters(IQueryCollection query, JsonElement body) => (_query, _body) = (query, body);

    /// <summary>Parameters of the query alone.</summary>
    public static RequestParameters FromQuery(HttpContext context) => new(context.Request.Query, default);

    /// <summary>Parameters that another transport has read; one whose text is null is not given.</summary>
    public static RequestParameters FromFields(params ReadOnlySpan<(string Name, string? Text)> fields)
    {
        var given = new Dictionary<string, StringValues>(StringComparer.Ordinal);
        foreach (var (name, text) in fields) if (text is not null) given[name] = text;
        return new RequestParameters(new QueryCollection(given), default);
    }

    /// <summary>Parameters of the JSON body, where the request has one, and of the query.</summary>
    public static async ValueTask<RequestParameters> ReadAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType()) return FromQuery(context);
        var text = await ReadBodyAsync(context);
        if (text.Length == 0) return FromQuery(context);
        try
        {
            using var document = StrictJson.Parse(text);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new BadRequestException($"The JSON body must be an object with parameters, not {Kind(document.RootElement)}.");
            return new RequestParameters(context.Request.Query, document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"The request body is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>A text, or null if the request does not have it.</summary>
    public string? Text(string name)
    {
        if (_body.ValueKind == JsonValueKind.Object && _body.TryGetProperty(name, out var value))
        {
            return value.ValueKind switch
            {
                JsonValueKind.Null => null,
                JsonValueKind.String => value.GetString(),
                JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
                _ => throw new BadRequestException($"Parameter {name} must be a single value, not {Kind(value)}."),
            };
        }

        if (!_query.TryGetValue(name, out var values) || values.Count == 0) return null;
        if (values.Count > 1) throw new BadRequestException($"Parameter {name} is given {values.Count} times.");
        return values[0];
    }

    /// <summary>A whole number of at least <paramref name="least"/>, or null if the request does not have it.</summary>
    public int? Integer(string name, int least)
    {
        if (Text(name) is not { } text) return null;
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
        {
            throw new BadRequestException($"Parameter {name} must be a whole number, not \"{text}\".");
        }

        if (number < least) throw new BadRequestException($"Parameter {name} must be at least {least}, not {number}.");
        return number;
    }

    /// <summary>A time in units of <paramref name="unit"/>, or null if the request does not have it or leaves it to the default with -1.</summary>
    public TimeSpan? Time(string name, TimeSpan unit, int least)
    {
        if (Text(name) == "-1") return null;
        return Integer(name, least) is { } number ? number * unit : null;
    }

    /// <summary><c>true</c> or <c>false</c>, or null if the request does not have it.</summary>
    public bool? Flag(string name) => Text(name) switch
    {
        null => null,
        var text when text.Equals("true", StringComparison.OrdinalIgnoreCase) => true,
        var text when text.Equals("false", StringComparison.OrdinalIgnoreCase) => false,
        var text => throw new BadRequestException($"Parameter {name} must be true or false, not \"{text}\"."),
    };

    private static async ValueTask<byte[]> ReadBodyAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            if (result.Buffer.Length > LargestBodyBytes) throw new PayloadTooLargeException(LargestBodyBytes, key: null);
            if (result.IsCompleted)
            {
                var body = result.Buffer.ToArray();
                reader.AdvanceTo(result.Buffer.End);

                // A thread that serves sockets may have brought the last of it; what is asked for may take long.
                await Task.Yield();
                return body;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
