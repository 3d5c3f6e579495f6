using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// Has Kestrel begin a connection's requests on the thread that reads its frames, instead of one of the pool for each. Whoever
/// answers them must then leave it for all that takes long. Not public either (<see cref="FrameScheduler"/>).
/// </summary>
internal static class InlineStreams
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Sets it for those that follow on a request's connection, once.</summary>
    /// <param name="context">The request. One whose connection is all Kestrel's changes nothing, as does a Kestrel that has it no longer.</param>
    public static void Apply(HttpContext context)
    {
        if (StreamBodies.Of(context) is not { AreStreamsInline: false } bodies || context.Features.Get<IHttp2StreamIdFeature>() is not { } stream) return;
        bodies.AreStreamsInline = true;
        if (Find(stream, static (type, name) => type.GetField(name, Declared), "_context")?.GetValue(stream) is not { } of) return;
        if (Find(of, static (type, name) => type.GetProperty(name, Declared), "StreamLifetimeHandler")?.GetValue(of) is not { } connection) return;
        if (Find(connection, static (type, name) => type.GetField(name, Declared), "_scheduleInline") is { } field && field.FieldType == typeof(bool)) field.SetValue(connection, true);
    }

    // A base type may have one of the same name.
    private static T? Find<T>(object of, Func<Type, string, T?> find, string name)
        where T : MemberInfo
    {
        for (var type = of.GetType(); type is not null; type = type.BaseType)
        {
            if (find(type, name) is { } found) return found;
        }

        return null;
    }
}
