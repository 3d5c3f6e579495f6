namespace Serve.Worker.Pipeline;

/// <summary>
/// Executes batches on one device slot, one after the other: the only thread that ever calls its runner. Closes a batch at
/// the moment the slot is free, so no row waits longer than it must.
/// </summary>
internal sealed class DeviceThread(PendingRequests pending, BatchExecutor executor, AnswerThread answers, ReaderShortcut shortcut)
{
    /// <summary>Runs until the worker leaves.</summary>
    /// <exception cref="DeviceLostException">The device takes no more work from this process; what it had is answered.</exception>
    public void Run(IBatchRunner runner)
    {
        var batch = answers.Rent();
        while (pending.TakeBatch(batch))
        {
            var nextIsWaiting = executor.Execute(batch, runner);
            if (batch.Requests.Count > 0) shortcut.ObserveOnDevice(batch.ExecutedTimestamp - batch.ExecutionTimestamp);
            if (batch.DeviceLoss is { } loss)
            {
                answers.AnswerLast(batch);
                throw new DeviceLostException(loss);
            }

            if (nextIsWaiting) answers.Enqueue(batch);
            else answers.Answer(batch);
            batch = answers.Rent();
        }
    }
}
