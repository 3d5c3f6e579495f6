namespace Serve.Tests;

/// <summary>The working copy that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>The folder with <c>Serve.sln</c>.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Serve.sln"))) return folder.FullName;
        }

        throw new InvalidOperationException($"No Serve.sln above {AppContext.BaseDirectory}: the tests read files of the repository.");
    }
}
