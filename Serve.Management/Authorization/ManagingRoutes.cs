using Microsoft.AspNetCore.Http;

namespace Serve.Management.Authorization;

/// <summary>
/// What of the Open Inference Protocol changes the server, although it is spoken where inference is: loading and unloading
/// models, regions of shared memory, settings. Hot path: nearly all requests are told by their path's beginning.
/// </summary>
internal static class ManagingRoutes
{
    private const string Rest = "/v2/";
    private const string Grpc = "/inference.GRPCInferenceService/";

    public static bool Include(string? path, string verb)
    {
        if (path is null) return false;
        if (path.StartsWith(Rest, StringComparison.OrdinalIgnoreCase)) return HttpMethods.IsPost(verb) && IsManaging(path.AsSpan(Rest.Length).TrimEnd('/'));
        return path.StartsWith(Grpc, StringComparison.Ordinal) && path.AsSpan(Grpc.Length) is "RepositoryModelLoad" or "RepositoryModelUnload"
            or "SystemSharedMemoryRegister" or "SystemSharedMemoryUnregister" or "CudaSharedMemoryRegister" or "CudaSharedMemoryUnregister" or "LogSettings" or "TraceSetting";
    }

    private static bool IsManaging(ReadOnlySpan<char> path) =>
        Ends(path, "/load") || Ends(path, "/unload") || Ends(path, "/register") || Ends(path, "/unregister") || Ends(path, "/setting") || path.Equals("logging", StringComparison.OrdinalIgnoreCase);

    private static bool Ends(ReadOnlySpan<char> path, string ending) => path.EndsWith(ending, StringComparison.OrdinalIgnoreCase);
}
