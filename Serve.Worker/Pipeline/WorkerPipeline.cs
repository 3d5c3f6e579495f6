using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>
/// The stages of one worker and their threads: received, decoded, formed into batches, executed, answered. Composed here and
/// nowhere else. The caller's thread is the first device thread.
/// </summary>
internal sealed class WorkerPipeline
{
    private readonly IModelWork _work;
    private readonly int _instances;
    private readonly BatchExecutor _executor;
    private readonly AnswerThread _answerThread;
    private readonly DeviceThread _device;
    private readonly Decoder _decoder;
    private int _decodeThreads;

    /// <param name="work">What is done with requests.</param>
    /// <param name="instances">Executions that may run at once.</param>
    /// <param name="mayRunOnReader">
    /// Whether cheap batches may run on the reader's thread. A reader that is stuck in a handler does not see the end of its
    /// socket; allow it only where something else ends this process with its parent.
    /// </param>
    /// <param name="sender">Where answers go.</param>
    /// <param name="time">The clock.</param>
    public WorkerPipeline(IModelWork work, int instances, bool mayRunOnReader, FrameSender sender, TimeProvider time)
    {
        _work = work;
        _instances = instances;
        Pool = new RequestPool(sender);
        Pending = new PendingRequests(work, Pool, instances, time);
        Pending.Learn(work.WarmUpTimes);
        Answers = new AnswerWriter(sender, work, time);
        if (work.Streams) Pool.PartSender = new PartSender(Pending, Answers);
        _answerThread = new AnswerThread(Pending, Answers);
        var executor = _executor = new BatchExecutor(Pending, sender, Answers, time);
        var shortcut = new ReaderShortcut(Pending, mayRunOnReader && work.MayRunOnReader, instances, time);
        _device = new DeviceThread(Pending, executor, _answerThread, shortcut);
        _decoder = new Decoder(Pending, work, Answers, time);
        OnReader = new ReaderExecution(Pending, executor, work.CreateRunner(), _answerThread, shortcut);
    }

    /// <summary>Told when a device thread other than the first ends by an exception, on that thread; the first one's goes to its caller.</summary>
    public Action<Exception>? DeviceThreadEnded { get; init; }

    public RequestPool Pool { get; }

    public PendingRequests Pending { get; }

    public AnswerWriter Answers { get; }

    public ReaderExecution OnReader { get; }

    /// <summary>Starts the threads but the first device thread, each device thread warmed up.</summary>
    /// <exception cref="Exception">A warm-up failed.</exception>
    public void Start(int decodeThreads)
    {
        for (var i = 1; i < _instances; i++) StartDeviceThread(i);
        if (_work.Decodes)
        {
            _decodeThreads = decodeThreads;
            for (var i = 0; i < decodeThreads; i++) StartThread($"decode {i}", _decoder.Run);
        }

        StartThread("answer", _answerThread.Run);
    }

    /// <summary>A request has arrived. By the reader's thread, which decodes what is only copied: that takes less than waking a decode thread.</summary>
    /// <param name="request">The request.</param>
    /// <param name="more">Another request of the same batch follows at once.</param>
    public void Arrive(WorkerRequest request, bool more)
    {
        if (!Pending.Arrive(request, more)) return;
        if (_work.IsOnlyCopied(request)) _decoder.Begin(request, byReader: true);
        else Pending.ToDecode.Add(request);
    }

    /// <summary>The first device thread's work, until the worker leaves.</summary>
    /// <exception cref="DeviceLostException">The device takes no more work from this process.</exception>
    public void RunFirstDevice(IBatchRunner runner) => _device.Run(runner);

    /// <summary>Answers what the handler says about itself, beside the batches: on a thread of its own, since it may take long.</summary>
    public void Describe(WorkerRequest request) => ThreadPool.UnsafeQueueUserWorkItem(
        static state =>
        {
            var (pipeline, request) = state;

            // As before a batch: if the handler ends the process now, the frontend knows by which request.
            pipeline._executor.SayBegun([request.Id]);
            pipeline.Answers.WriteDescription(request);
            pipeline.Pool.Return(request);
        },
        (this, request),
        preferLocal: false);

    /// <summary>What the stages did so far.</summary>
    /// <param name="memory">A gauge with what is known of the process's memory.</param>
    public GaugeMessage Measure(GaugeMessage memory) =>
        Pending.Measure(memory, new StageMessage(EncodeMicroseconds: (long)Answers.BusyTime.TotalMicroseconds, DecodeThreads: _decodeThreads, CopiedRows: _work.CopiedRows, PaddedRows: _work.PaddedRows));

    /// <summary>Ends all threads that wait; one that executes ends after its batch.</summary>
    public void Close()
    {
        Pending.Close();
        _answerThread.Close();
    }

    // Warmed up one after the other: each needs the whole device.
    private void StartDeviceThread(int index)
    {
        var warm = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        StartThread($"device {index}", () =>
        {
            using var runner = _work.CreateRunner();
            try
            {
                runner.WarmUp();
            }
            catch (Exception e)
            {
                warm.SetException(e);
                return;
            }

            warm.SetResult();
            try
            {
                _device.Run(runner);
            }
            catch (Exception e) when (DeviceThreadEnded is not null)
            {
                DeviceThreadEnded(e);
            }
        });
        warm.Task.GetAwaiter().GetResult();
    }

    private static void StartThread(string name, Action run) => new Thread(() => run()) { IsBackground = true, Name = name }.Start();
}
