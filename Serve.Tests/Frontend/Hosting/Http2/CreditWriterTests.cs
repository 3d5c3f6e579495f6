using System.IO.Pipelines;
using Serve.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting.Http2;

public sealed class CreditWriterTests
{
    private const int WindowBytes = 1000;

    private readonly Held _connection = new();
    private readonly CreditWriter _writer;

    public CreditWriterTests() => _writer = new CreditWriter(_connection, WindowBytes);

    [Fact]
    public async Task An_update_waits_for_what_Kestrel_writes_and_goes_with_it()
    {
        Write(1, 2);
        _writer.Allow(WindowBytes);
        _writer.Execute();
        Assert.Equal([1, 2], _connection.Written);
        Write(3);
        await _writer.FlushAsync(TestContext.Current.CancellationToken);
        Assert.Equal([1, 2, 3, .. Update(0, WindowBytes)], _connection.Written);
    }

    [Fact]
    public async Task A_small_update_waits_until_it_is_worth_a_frame()
    {
        _writer.Allow(10);
        _writer.Execute();
        await _writer.FlushAsync(TestContext.Current.CancellationToken);
        Assert.Empty(_connection.Written);
        _writer.Allow(90);
        _writer.Execute();
        Assert.Empty(_connection.Written);
        await _writer.FlushAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Update(0, 100), _connection.Written);
        _writer.Allow(7, 500);
        _writer.Execute();
        Assert.Equal([.. Update(0, 100), .. Update(7, 500)], _connection.Written);
    }

    [Fact]
    public async Task What_Kestrel_writes_while_an_update_is_on_its_way_follows_it()
    {
        _connection.Hold();
        _writer.Allow(WindowBytes);
        _writer.Execute();
        Write(1);
        var flushing = _writer.FlushAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.Equal(Update(0, WindowBytes), _connection.Written);
        Assert.False(flushing.IsCompleted);
        _connection.LetGo();
        await flushing;
        Assert.Equal([.. Update(0, WindowBytes), 1], _connection.Written);
        Assert.Equal(2, _connection.Flushes);
    }

    [Fact]
    public async Task What_is_allowed_while_Kestrel_flushes_is_told_afterwards()
    {
        _connection.Hold();
        Write(1);
        var flushing = _writer.FlushAsync(TestContext.Current.CancellationToken).AsTask();
        _writer.Allow(WindowBytes);
        _writer.Execute();
        Assert.Equal([1], _connection.Written);
        _connection.LetGo();
        await flushing;
        _writer.Execute(); // as the pool does soon
        Assert.Equal([1, .. Update(0, WindowBytes)], _connection.Written);
    }

    [Fact]
    public async Task After_the_end_nothing_is_told()
    {
        await _writer.CompleteAsync();
        _writer.Allow(WindowBytes);
        _writer.Execute();
        Assert.Empty(_connection.Written);
    }

    private void Write(params byte[] bytes)
    {
        bytes.CopyTo(_writer.GetSpan(bytes.Length));
        _writer.Advance(bytes.Length);
    }

    private static byte[] Update(int stream, int bytes) => [0, 0, 4, 8, 0, 0, 0, 0, (byte)stream, 0, 0, (byte)(bytes >> 8), (byte)bytes];

    /// <summary>A connection whose flushes end when the test says so.</summary>
    private sealed class Held : PipeWriter
    {
        private readonly MemoryStream _written = new();
        private byte[] _room = [];
        private TaskCompletionSource? _hold;

        public byte[] Written => _written.ToArray();

        public int Flushes { get; private set; }

        public void Hold() => _hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void LetGo() => _hold!.SetResult();

        public override Memory<byte> GetMemory(int sizeHint = 0) => _room = new byte[Math.Max(sizeHint, 100)];

        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

        public override void Advance(int bytes) => _written.Write(_room, 0, bytes);

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            Flushes++;
            if (_hold is { } hold) await hold.Task;
            return default;
        }

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
