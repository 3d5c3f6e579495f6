using System.Text.Json;
using Google.Protobuf.Collections;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Errors;
using Serve.Frontend.OpenInference.Messages;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>The settings of log and tracing over REST: GET tells them, POST changes some and tells all.</summary>
internal static class SettingRoutes
{
    public static void MapSettings(this IEndpointRouteBuilder routes, LogSettings log, TraceSettings trace, bool isAllowed)
    {
        routes.MapGet("logging", context => WriteAsync(context, log.Current)).WithSummary("The settings of the log");
        routes.MapPost("logging", async context =>
        {
            CrossSite.Refuse(context.Request);
            ControlPlane.RequireSettings(isAllowed);
            using var body = await JsonBody.ReadAsync(context);
            await WriteAsync(context, log.Change(LogChanges(body.RootElement)));
        }).WithSummary("Changes settings of the log, until the server ends");

        foreach (var (path, of) in (ReadOnlySpan<(string, string)>)[("trace/setting", "the server"), ("models/{model}/trace/setting", "a model")])
        {
            routes.MapGet(path, context => WriteAsync(context, trace.Change((string?)context.Request.RouteValues["model"], new Dictionary<string, IReadOnlyList<string>>()))).WithSummary($"The settings of tracing: of {of}");
            routes.MapPost(path, async context =>
            {
                CrossSite.Refuse(context.Request);
                ControlPlane.RequireSettings(isAllowed);
                using var body = await JsonBody.ReadAsync(context);
                await WriteAsync(context, trace.Change((string?)context.Request.RouteValues["model"], TraceChanges(body.RootElement)));
            }).WithSummary($"Changes settings of tracing: of {of}");
        }
    }

    private static MapField<string, LogSettingsRequest.Types.SettingValue> LogChanges(JsonElement body)
    {
        var changes = new MapField<string, LogSettingsRequest.Types.SettingValue>();
        foreach (var setting in body.EnumerateObject())
        {
            changes[setting.Name] = setting.Value.ValueKind switch
            {
                JsonValueKind.True or JsonValueKind.False => new() { BoolParam = setting.Value.GetBoolean() },
                JsonValueKind.Number when setting.Value.TryGetUInt32(out var number) => new() { Uint32Param = number },
                JsonValueKind.String => new() { StringParam = setting.Value.GetString()! },
                _ => throw new BadRequestException($"The value of '{setting.Name}' must be true, false, a whole number of at least 0, or a text."),
            };
        }

        return changes;
    }

    private static Dictionary<string, IReadOnlyList<string>> TraceChanges(JsonElement body)
    {
        var changes = new Dictionary<string, IReadOnlyList<string>>();
        foreach (var setting in body.EnumerateObject())
        {
            changes[setting.Name] = setting.Value.ValueKind switch
            {
                JsonValueKind.Null => [],
                JsonValueKind.Array => [.. setting.Value.EnumerateArray().Select(item => item.AsText(setting.Name))],
                JsonValueKind.Number => [setting.Value.GetRawText()],
                _ => [setting.Value.AsText(setting.Name)],
            };
        }

        return changes;
    }

    private static Task WriteAsync(HttpContext context, LogSettingsResponse settings) => ProtoJson.WriteAsync(context, StatusCodes.Status200OK, writer =>
    {
        writer.WriteStartObject();
        foreach (var (name, value) in settings.Settings)
        {
            if (value.HasBoolParam) writer.WriteBoolean(name, value.BoolParam);
            else if (value.HasUint32Param) writer.WriteNumber(name, value.Uint32Param);
            else writer.WriteString(name, value.StringParam);
        }

        writer.WriteEndObject();
    });

    private static Task WriteAsync(HttpContext context, TraceSettingResponse settings) => ProtoJson.WriteAsync(context, StatusCodes.Status200OK, writer =>
    {
        writer.WriteStartObject();
        foreach (var (name, value) in settings.Settings)
        {
            if (!TraceSettings.IsList(name))
            {
                writer.WriteString(name, value.Value[0]);
                continue;
            }

            writer.WriteStartArray(name);
            foreach (var item in value.Value) writer.WriteStringValue(item);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    });
}
