using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Deployment;

/// <summary>
/// The built server as a pod of the chart runs it, without a container engine: a root of its own that is read-only and has the
/// places of the image and the chart, the image's user, no capabilities. Needs root and Linux.
/// </summary>
internal sealed class ContainerRoot : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // What a container engine does. Programs and libraries are the machine's; everything else lies in memory and is gone with
    // the process, whose mounts nobody else sees.
    private const string Script = """
        set -e
        root=$1 server=$2 dotnet=$3 models=$4 settings=$5; shift 5
        mount -t tmpfs -o mode=0755 serve-root "$root"
        cd "$root"
        mkdir -p usr proc dev dotnet opt/serve models etc/serve run/serve var/cache/serve tmp
        for name in bin lib lib64 sbin; do ln -s usr/$name $name; done
        mount --bind /usr usr; mount --bind "$dotnet" dotnet; mount --bind "$server" opt/serve
        mount --rbind /proc proc; mount --rbind /dev dev
        mount --bind "$models" models; mount --bind "$settings" etc/serve
        for name in run/serve var/cache/serve; do mount -t tmpfs -o mode=2770,gid=1654 serve-volume $name; done
        for name in usr dotnet opt/serve models etc/serve; do mount -o remount,bind,ro $name; done
        mount -o remount,ro "$root"
        exec chroot "$root" setpriv --reuid 1654 --regid 1654 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- /opt/serve/serve "$@"
        """;

    private readonly TemporaryFolder _root;
    private readonly Process _process;
    private readonly ServerLog _log = new();

    private ContainerRoot(TemporaryFolder root, Process process, ITestOutputHelper output)
    {
        (_root, _process) = (root, process);
        _log.ShowIn(output);
        process.OutputDataReceived += (_, line) => _log.Add(line.Data);
        process.ErrorDataReceived += (_, line) => _log.Add(line.Data);
        process.Exited += (_, _) => _log.Close();
        process.EnableRaisingEvents = true;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Pid => _process.Id;

    public IReadOnlyList<string> Log => _log.Lines;

    /// <summary>Whether this process may do what a container engine does.</summary>
    public static bool IsPossible()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess || !File.Exists("/usr/bin/unshare") || !File.Exists("/usr/bin/setpriv")) return false;
        using var probe = Process.Start(new ProcessStartInfo("unshare", ["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "probe", "/mnt"]) { RedirectStandardError = true })!;
        probe.WaitForExit();
        return probe.ExitCode == 0;
    }

    /// <summary>Starts a server.</summary>
    /// <param name="models">Becomes /models.</param>
    /// <param name="settings">Becomes /etc/serve.</param>
    /// <param name="output">Where to show its log.</param>
    /// <param name="arguments">Of the command <c>serve</c>.</param>
    public static ContainerRoot Start(string models, string settings, ITestOutputHelper output, params string[] arguments)
    {
        var root = new TemporaryFolder();
        var dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        var start = new ProcessStartInfo("unshare", ["--mount", "--propagation", "private", "sh", "-c", Script, "sh", root.Path, AppContext.BaseDirectory, dotnet, models, settings, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        (start.Environment["PATH"], start.Environment["DOTNET_ROOT"], start.Environment["DOTNET_EnableDiagnostics"]) = ("/usr/sbin:/usr/bin:/sbin:/bin", "/dotnet", "0");
        return new ContainerRoot(root, Process.Start(start)!, output);
    }

    /// <summary>Waits for a line of its log, an object of JSON, and returns it.</summary>
    public async Task<JsonElement> WaitForLogAsync(string text) => JsonDocument.Parse(await _log.WaitForAsync(line => line.Contains(text, StringComparison.Ordinal), Patience)).RootElement;

    /// <summary>A line of what the kernel says of the process.</summary>
    public string Status(string name) => File.ReadLines($"/proc/{Pid}/status").First(line => line.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..].Trim();

    /// <summary>The names in one of its folders.</summary>
    public IEnumerable<string> List(string folder) => Directory.EnumerateFileSystemEntries($"/proc/{Pid}/root{folder}").Select(path => Path.GetFileName(path)!);

    /// <summary>Asks it to stop with SIGTERM and waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> StopAsync()
    {
        Signals.Terminate(Pid);
        using var patience = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(patience.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _root.Dispose();
    }
}
