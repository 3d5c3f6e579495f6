using System.Reflection;

namespace Serve.Core.Observability;

/// <summary>Which Serve this is. All its assemblies are built with one version.</summary>
public static class ServeVersion
{
    /// <summary>The version, as commands, logs, traces and metrics tell it.</summary>
    public static string Text { get; } = typeof(ServeVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
