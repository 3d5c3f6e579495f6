using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>How a worker ends: by itself, asked to, or killed; also one whose process or socket outlives the other.</summary>
internal sealed partial class PooledWorker
{
    // How long its end may take once it was killed: the kernel cannot end a process that hangs in a driver.
    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(10);

    // How long its socket may stay open once its process has ended: one that does is another process's too.
    private static readonly TimeSpan SocketLimit = TimeSpan.FromSeconds(2);

    // Its socket ends when its process does, unless another process has it too; then it is left some time, for what is in it.
    private async Task<string> SocketEndAsync()
    {
        await Task.WhenAny(_closed.Task, _process.Exited, _overdue.Task).ConfigureAwait(false);
        if (_process.Exited.IsCompleted) await Task.WhenAny(_closed.Task, Task.Delay(SocketLimit, _time)).ConfigureAwait(false);
        return _closed.Task.IsCompleted ? await _closed.Task.ConfigureAwait(false) : "its connection did not end";
    }

    /// <summary>Kills the process, also a stopped one; the rest follows from the end of its socket, or without it when that takes too long.</summary>
    private void Kill(WorkerDeath? reason)
    {
        lock (_gate)
        {
            _isGivenUp = true;
            _killedFor ??= reason;
        }

        _process.Kill();
        _ = BecomeOverdueAsync();
    }

    private async Task BecomeOverdueAsync()
    {
        await Task.Delay(KillLimit, _time).ConfigureAwait(false);
        _overdue.TrySetResult();
    }

    private async Task<WorkerEnd> EndAsync(string reason, LoadFailedMessage? failure)
    {
        bool isLeaving;
        WorkerDeath? killedFor;
        lock (_gate) (isLeaving, killedFor, _isGivenUp) = (_isLeaving, _killedFor, true);

        // What it has written is read now, and nothing afterwards.
        if (!_closed.Task.IsCompleted) _link?.Dispose();
        reason = killedFor switch
        {
            WorkerDeath.Heartbeat => $"it showed no sign of life for {_settings.HeartbeatTimeout.TotalSeconds:0.###} s (heartbeatTimeout) and was killed",
            WorkerDeath.ResponseTimeout => $"it held a batch for more than {_load.Configuration.ResponseTimeout.TotalSeconds:0.###} s (responseTimeout) and was killed",
            _ => reason,
        };

        // Its requests first: they wait for another worker while this one is cleaned up.
        var loss = isLeaving ? WorkerLossReason.Stopped : killedFor == WorkerDeath.ResponseTimeout ? WorkerLossReason.TimedOut : WorkerLossReason.Crashed;
        var explained = _scheduler.RemoveWorker(this, loss, out var failed);
        var wasKilled = false;
        if (killedFor is null && await _process.EndsSoonAsync().ConfigureAwait(false) is { } end)
        {
            reason = _link is null ? $"{reason}; {end.Text}" : end.Text;
            wasKilled = end.WasKilled;
        }

        await EndProcessAsync().ConfigureAwait(false);
        var pid = Pid;
        Pid = null;
        if (!isLeaving) Lost?.Invoke(new WorkerLoss(Id, pid, _time.GetUtcNow(), reason, _output.Tail(WorkerOutput.MostLines)));
        _scheduler.FailLost(failed, loss, $"worker {Id}: {reason}");
        _link?.Dispose();
        _workerMetrics.Dispose();
        SetState(isLeaving ? WorkerState.Stopped : WorkerState.Failed);
        if (!isLeaving)
        {
            var death = killedFor ?? (reason.StartsWith("it broke", StringComparison.Ordinal) ? WorkerDeath.Connection : WorkerDeath.Exited);
            _metrics.WorkerDied(death);
            Log.Ended(_log, Id, reason);
        }

        return new WorkerEnd(reason, isLeaving, HasServed || explained, failure?.Permanent == true, wasKilled, failure?.LacksMemory == true);
    }

    private async Task EndProcessAsync()
    {
        if (_process.IsStarted && !_process.Exited.IsCompleted)
        {
            Kill(null);
            await Task.WhenAny(_process.Exited, _overdue.Task).ConfigureAwait(false);
        }

        var forgotten = ForgetAsync();
        if (!forgotten.IsCompleted) Log.Lingers(_log, Id, Pid ?? 0, KillLimit.TotalSeconds);
    }

    // Not before its end, however long that takes: until then it may read the bodies that it holds.
    private async Task ForgetAsync()
    {
        if (_process.IsStarted) await _process.Exited.ConfigureAwait(false);
        _link?.Holds?.Close();
        _process.Dispose();
    }
}
