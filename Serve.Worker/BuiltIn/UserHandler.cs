using System.Reflection;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>Makes a user's handler from <c>Assembly.dll:Namespace.Type</c>, an assembly in the model's folder.</summary>
internal static class UserHandler
{
    /// <exception cref="InvalidModelException">Says which step failed and why.</exception>
    public static object Create(string handler, string modelFolder)
    {
        var colon = handler.IndexOf(':', StringComparison.Ordinal);
        var (file, typeName) = (handler[..colon], handler[(colon + 1)..]);
        return Construct(FindType(LoadAssembly(handler, file, modelFolder), handler, typeName), handler);
    }

    private static Assembly LoadAssembly(string handler, string file, string modelFolder)
    {
        var root = Path.GetFullPath(modelFolder) + Path.DirectorySeparatorChar;
        var path = Path.GetFullPath(Path.Combine(root, file));
        if (!path.StartsWith(root, StringComparison.Ordinal)) throw new InvalidModelException($"handler '{handler}': the assembly lies outside the model's folder.");
        if (!File.Exists(path)) throw new InvalidModelException($"handler '{handler}': the model's folder has no file {file}.");
        try
        {
            return new HandlerLoadContext(path).LoadFromAssemblyPath(path);
        }
        catch (Exception e) when (e is BadImageFormatException or IOException)
        {
            throw new InvalidModelException($"handler '{handler}': {file} is not a .NET assembly that this worker (.NET {Environment.Version}) can load: {e.Message}", e);
        }
    }

    private static Type FindType(Assembly assembly, string handler, string typeName)
    {
        Type? type;
        try
        {
            type = assembly.GetType(typeName, throwOnError: false);
        }
        catch (Exception e) when (e is TypeLoadException or IOException or BadImageFormatException)
        {
            throw new InvalidModelException($"handler '{handler}': the type cannot be loaded: {e.Message}", e);
        }

        if (type is null)
        {
            var found = HandlersIn(assembly);
            var hint = found.Length == 0 ? "it has no class that implements IModelHandler or IBatchHandler" : $"its handlers are {string.Join(", ", found)}";
            throw new InvalidModelException($"handler '{handler}': the assembly has no type {typeName}; {hint}.");
        }

        if (!IsHandler(type)) throw new InvalidModelException($"handler '{handler}': {typeName} implements neither Serve.Core.Handlers.IModelHandler nor IBatchHandler.");
        if (type.IsAbstract || type.IsGenericTypeDefinition) throw new InvalidModelException($"handler '{handler}': {typeName} is abstract or generic; a class that can be made is needed.");
        return type;
    }

    private static object Construct(Type type, string handler)
    {
        try
        {
            return Activator.CreateInstance(type)!;
        }
        catch (MissingMethodException e)
        {
            throw new InvalidModelException($"handler '{handler}': {type.FullName} has no public constructor without parameters.", e);
        }
        catch (TargetInvocationException e)
        {
            var cause = e.InnerException ?? e;
            throw new InvalidModelException($"handler '{handler}': the constructor of {type.FullName} threw {cause.GetType().Name}: {cause.Message}", cause);
        }
        catch (Exception e) when (e is TypeLoadException or IOException or BadImageFormatException or MemberAccessException)
        {
            throw new InvalidModelException($"handler '{handler}': {type.FullName} cannot be made: {e.Message}", e);
        }
    }

    private static bool IsHandler(Type type) => typeof(IModelHandler).IsAssignableFrom(type) || typeof(IBatchHandler).IsAssignableFrom(type);

    private static string[] HandlersIn(Assembly assembly)
    {
        try
        {
            return [.. assembly.GetExportedTypes().Where(type => IsHandler(type) && !type.IsAbstract).Select(type => type.FullName ?? type.Name)];
        }
        catch (Exception e) when (e is TypeLoadException or IOException)
        {
            return []; // only a hint in a message that names the real problem
        }
    }
}
