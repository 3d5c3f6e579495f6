using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Configuration;
using Serve.Core.Security;

namespace Serve.Frontend.Hosting;

/// <summary>
/// What a running server leaves in its runtime folder, so that <c>serve stop</c> and <c>serve status</c> find it: a file for
/// each management address.
/// </summary>
/// <param name="Pid">Its process.</param>
/// <param name="StartedAt">When that process started; another process may have got its number since.</param>
/// <param name="Version">The server's version.</param>
/// <param name="InferenceAddress">Where it really listens.</param>
/// <param name="ManagementAddress">Likewise.</param>
/// <param name="MetricsAddress">Likewise.</param>
/// <param name="GrpcInferenceAddress">Likewise; null in what an older server has left.</param>
/// <param name="GrpcManagementAddress">Likewise.</param>
internal sealed record ServerState(
    int Pid, DateTimeOffset StartedAt, string Version, string InferenceAddress, string ManagementAddress, string MetricsAddress,
    string? GrpcInferenceAddress, string? GrpcManagementAddress)
{
    private const string Prefix = "server-";
    private const string Suffix = ".json";

    // Start times are read from the system's clock ticks: they differ a little from one reading to the next.
    private static readonly TimeSpan StartTolerance = TimeSpan.FromSeconds(2);

    /// <summary>The folder of a configuration's state files: its own, or one for each user.</summary>
    public static string FolderOf(ServerConfiguration configuration) =>
        configuration.RuntimeFolder ?? Path.Combine(Path.GetTempPath(), $"serve-{Environment.UserName}");

    /// <summary>Writes the file; only this user can read it.</summary>
    /// <returns>Its path.</returns>
    /// <exception cref="IOException">It cannot be written, or the folder is not this user's alone.</exception>
    public string Write(string folder)
    {
        PrivateFolder.Open(folder);

        // Moved into place: whoever finds the file finds all of it.
        var path = PathOf(folder, ManagementAddress);
        var temporary = string.Create(CultureInfo.InvariantCulture, $"{path}.{Pid}");
        File.WriteAllText(temporary, JsonSerializer.Serialize(this, ServerStateJson.Default.ServerState));
        File.Move(temporary, path, overwrite: true);
        return path;
    }

    /// <summary>Removes a file that <see cref="Write"/> has made. One that is gone already, with its folder, is as good.</summary>
    public static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (DirectoryNotFoundException)
        {
            // Somebody has tidied up the temporary folder.
        }
    }

    /// <summary>The running server with that management address; null if there is none.</summary>
    /// <exception cref="IOException">Somebody else may have written what is in the folder.</exception>
    public static ServerState? Find(string folder, string managementAddress) => IsThere(folder) ? ReadLive(PathOf(folder, managementAddress)) : null;

    /// <summary>The only running server of a folder; null if there is none, or more than one.</summary>
    /// <exception cref="IOException">Somebody else may have written what is in the folder.</exception>
    public static ServerState? FindOnly(string folder)
    {
        if (!IsThere(folder)) return null;
        var live = Directory.GetFiles(folder, Prefix + "*" + Suffix).Select(ReadLive).OfType<ServerState>().Take(2).ToList();
        return live is [var only] ? only : null;
    }

    /// <summary>The server's process; null if it has ended.</summary>
    public Process? FindProcess()
    {
        Process? process = null;
        try
        {
            process = Process.GetProcessById(Pid);
            if ((process.StartTime.ToUniversalTime() - StartedAt.UtcDateTime).Duration() < StartTolerance) return process;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // No such process, or not one of ours.
        }

        process?.Dispose();
        return null;
    }

    // What is read decides which process gets a signal, and which address a token.
    private static bool IsThere(string folder)
    {
        if (!Directory.Exists(folder)) return false;
        PrivateFolder.Check(folder);
        return true;
    }

    private static ServerState? ReadLive(string path)
    {
        if (Read(path) is not { } state) return null;
        using var process = state.FindProcess();
        return process is null ? null : state;
    }

    private static ServerState? Read(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllText(path), ServerStateJson.Default.ServerState) : null;
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException)
        {
            // Damaged, or removed by the server that stops this moment: there is nothing to be learned from it.
            return null;
        }
    }

    private static string PathOf(string folder, string managementAddress)
    {
        var name = managementAddress[(managementAddress.IndexOf("//", StringComparison.Ordinal) + 2)..].TrimEnd('/');
        return Path.Combine(folder, Prefix + string.Concat(name.Select(letter => char.IsAsciiLetterOrDigit(letter) || letter == '.' ? letter : '_')) + Suffix);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ServerState))]
internal sealed partial class ServerStateJson : JsonSerializerContext;
