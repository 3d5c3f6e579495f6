using Serve.Core.Models;

namespace Serve.Core.Workers;

/// <summary>The last lines that one worker process wrote to its output. Bounded: a worker may write whatever it likes. Safe from any thread.</summary>
/// <param name="time">The clock.</param>
internal sealed class WorkerOutput(TimeProvider time)
{
    /// <summary>So many lines are kept.</summary>
    public const int MostLines = 200;

    /// <summary>So much of each.</summary>
    public const int MostLetters = 1000;

    private readonly Lock _gate = new();
    private readonly Queue<WorkerLine> _lines = new();

    /// <summary>The worker wrote a line.</summary>
    public void Add(string line)
    {
        var kept = new WorkerLine(time.GetUtcNow(), line.Length > MostLetters ? $"{line.AsSpan(0, MostLetters)}…" : line);
        lock (_gate)
        {
            if (_lines.Count == MostLines) _lines.Dequeue();
            _lines.Enqueue(kept);
        }
    }

    /// <summary>The last of them, oldest first.</summary>
    public IReadOnlyList<WorkerLine> Tail(int lines)
    {
        lock (_gate) return [.. _lines.Skip(Math.Max(0, _lines.Count - lines))];
    }
}
