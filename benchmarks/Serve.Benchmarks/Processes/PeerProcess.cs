using System.Diagnostics;

namespace Serve.Benchmarks.Processes;

/// <summary>
/// This program once more, as what the server is compared with: in a process of its own, so that it has its own thread pool,
/// collector and runtime settings. It reads commands from its standard input and ends with it.
/// </summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly Process _process;

    public PeerProcess(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        _process = Process.Start(start)!;
    }

    public int Pid => _process.Id;

    /// <summary>Sends a command.</summary>
    public void Write(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <summary>Its next line.</summary>
    public string Read() => _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"The peer {_process.StartInfo.ArgumentList[0]} has ended.");

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(5))) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
