namespace Serve.Tests.EndToEnd;

/// <summary>Where the project's own files are.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Serve.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("Serve.sln is in no folder above the tests.");
    }
}
