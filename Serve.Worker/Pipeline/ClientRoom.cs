using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>How much of a request's answer is on its way to its client, and who waits until the client has taken more of it.</summary>
internal sealed class ClientRoom
{
    private readonly Lock _gate = new();
    private long _untaken;
    private bool _isClosed;
    private TaskCompletionSource? _waiting;

    /// <summary>Whether a part may be sent, or waiting for that is no use any more.</summary>
    public bool HasRoom
    {
        get
        {
            lock (_gate) return _isClosed || _untaken < PartWindow.SizeBytes;
        }
    }

    /// <summary>Completes when <see cref="HasRoom"/>.</summary>
    public Task WhenRoom()
    {
        lock (_gate)
        {
            if (_isClosed || _untaken < PartWindow.SizeBytes) return Task.CompletedTask;

            // A handler's code goes on elsewhere: room is made on the reader's thread.
            _waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waiting.Task;
        }
    }

    /// <summary>A part is sent.</summary>
    public void Fill(long cost)
    {
        lock (_gate) _untaken += cost;
    }

    /// <summary>The client has taken parts of this cost.</summary>
    public void Taken(long cost)
    {
        TaskCompletionSource? waiting = null;
        lock (_gate)
        {
            _untaken = Math.Max(0, _untaken - cost);
            if (_untaken < PartWindow.SizeBytes) (waiting, _waiting) = (_waiting, null);
        }

        waiting?.TrySetResult();
    }

    /// <summary>Nobody takes anything any more.</summary>
    public void Close()
    {
        TaskCompletionSource? waiting;
        lock (_gate)
        {
            _isClosed = true;
            (waiting, _waiting) = (_waiting, null);
        }

        waiting?.TrySetResult();
    }
}
