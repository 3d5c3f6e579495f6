namespace Serve.Worker.Pipeline;

/// <summary>Batches executed on the reader's thread, for handlers that cost less than a thread hop.</summary>
internal sealed class ReaderExecution(PendingRequests pending, BatchExecutor executor, IBatchRunner runner, AnswerThread answers, ReaderShortcut shortcut)
{
    /// <summary>Executes what waits, if the reader is to do so.</summary>
    public void RunWaiting()
    {
        while (pending.RunsOnReader)
        {
            var batch = answers.Rent();
            if (!pending.TryTakeBatch(batch))
            {
                answers.Answer(batch); // empty: only puts it back
                return;
            }

            executor.Execute(batch, runner);
            var (isEmpty, executed) = (batch.Requests.Count == 0, batch.ExecutedTimestamp - batch.ExecutionTimestamp);
            var wrote = answers.Answer(batch);
            if (!isEmpty) shortcut.ObserveOnReader(executed + wrote);
        }
    }
}
