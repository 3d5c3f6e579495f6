using Serve.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting.Http2;

public sealed class KestrelInputTests
{
    private readonly Lock _gate = new();
    private readonly KestrelInput _input;

    public KestrelInputTests() => _input = new KestrelInput(_gate);

    [Fact]
    public void Kestrel_goes_on_where_it_is_flushed_once_the_gate_is_left()
    {
        var thread = 0;
        var reading = ReadAsync(() => thread = Environment.CurrentManagedThreadId);
        lock (_gate)
        {
            _input.Write(FrameHead.OfData(1, 0, endsStream: true));
            _input.Flush();
            Assert.Equal(0, thread);
        }

        _input.GoOn(reads: true);
        Assert.True(reading.IsCompletedSuccessfully);
        Assert.Equal(Environment.CurrentManagedThreadId, thread);
    }

    [Fact]
    public async Task Kestrel_goes_on_elsewhere_where_it_is_told_so()
    {
        var isOnPool = false;
        var reading = ReadAsync(() => isOnPool = Thread.CurrentThread.IsThreadPoolThread);
        var flushing = new Thread(() =>
        {
            lock (_gate)
            {
                _input.Write(FrameHead.OfData(1, 0, endsStream: true));
                _input.Flush();
            }

            _input.GoOnElsewhere();
        });
        flushing.Start();
        await reading;
        flushing.Join();
        Assert.True(isOnPool);
    }

    [Fact]
    public void Kestrel_can_wake_itself()
    {
        var reading = ReadAsync(static () => { });
        _input.Reader.CancelPendingRead();
        Assert.True(reading.IsCompletedSuccessfully);
    }

    [Fact]
    public void Kestrel_hears_of_the_end_outside_the_gate()
    {
        var reading = ReadAsync(static () => { });
        lock (_gate)
        {
            _input.Complete(new IOException("gone"));
            Assert.False(reading.IsCompleted);
        }

        _input.GoOn(reads: true);
        Assert.IsType<IOException>(reading.Exception?.InnerException);
    }

    private async Task ReadAsync(Action read)
    {
        await _input.Reader.ReadAsync();
        read();
    }
}
