using System.IO.Pipelines;
using Serve.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting.Http2;

public sealed class PoolBodyTests
{
    private readonly Pipe _kestrel = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_waited_does_not_go_on_where_the_body_arrived(bool isBroken)
    {
        var isOnPool = false;
        var reading = ReadAsync();
        var socket = new Thread(() =>
        {
            if (isBroken)
            {
                _kestrel.Writer.Complete(new IOException("gone"));
            }
            else
            {
                _kestrel.Writer.GetSpan(1)[0] = 7;
                _kestrel.Writer.Advance(1);
                var flushed = _kestrel.Writer.FlushAsync();
                Assert.True(flushed.IsCompleted);
                flushed.GetAwaiter().GetResult();
            }
        });
        socket.Start();
        await reading;
        socket.Join();
        Assert.True(isOnPool);

        async Task ReadAsync()
        {
            try
            {
                var read = await new PoolBody(_kestrel.Reader).ReadAsync();
                Assert.Equal(7, read.Buffer.FirstSpan[0]);
            }
            catch (IOException) when (isBroken)
            {
            }

            isOnPool = Thread.CurrentThread.IsThreadPoolThread;
        }
    }
}
