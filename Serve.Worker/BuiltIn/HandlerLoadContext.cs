using System.Reflection;
using System.Runtime.Loader;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// Loads a user's handler and what it brings along from the model's folder, apart from the worker's own libraries, so that
/// versions do not collide. What the handler contract is made of is shared: those types must be the same on both sides.
/// </summary>
internal sealed class HandlerLoadContext(string assemblyPath) : AssemblyLoadContext("handler")
{
    private static readonly string[] Shared =
    [
        typeof(IModelHandler).Assembly.GetName().Name!,
        typeof(Microsoft.Extensions.Logging.ILogger).Assembly.GetName().Name!,
        // ILogger's assembly exposes it.
        "Microsoft.Extensions.DependencyInjection.Abstractions",
    ];

    private readonly AssemblyDependencyResolver _dependencies = new(assemblyPath);
    private readonly string _folder = Path.GetDirectoryName(assemblyPath)!;

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (Shared.Contains(assemblyName.Name)) return null; // the worker's own

        // With a .deps.json beside the assembly the resolver knows; without one, beside it is where things are.
        var path = _dependencies.ResolveAssemblyToPath(assemblyName);
        path ??= Path.Combine(_folder, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        var path = _dependencies.ResolveUnmanagedDllToPath(unmanagedDllName);
        return path is null ? 0 : LoadUnmanagedDllFromPath(path);
    }
}
