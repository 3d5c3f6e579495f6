using System.Net;
using System.Security.Cryptography;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// Clients that send bodies nobody else sends, one after the other, and want exactly their own back: a failed request, a
/// mixed-up or a doubled answer shows at once.
/// </summary>
internal sealed class EchoClients : IAsyncDisposable
{
    // Always some are on their way, and yet the machine has time for what happens meanwhile: a worker's start, other tests.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    private readonly ServerFixture _server;
    private readonly string _model;
    private readonly Func<Answer, bool> _isExcused;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<string> _faults = [];
    private readonly Lock _gate = new();
    private readonly Task[] _clients;
    private readonly List<(int Count, TaskCompletionSource Reached)> _marks = [];
    private int _answered;

    /// <summary>Starts them.</summary>
    /// <param name="server">The server.</param>
    /// <param name="model">A model that answers with what it was sent.</param>
    /// <param name="count">How many clients.</param>
    /// <param name="bodyBytes">The size of each body.</param>
    /// <param name="isExcused">Answers other than 200 that are right too; null: none.</param>
    public EchoClients(ServerFixture server, string model, int count, int bodyBytes = 2000, Func<Answer, bool>? isExcused = null)
    {
        (_server, _model, _isExcused) = (server, model, isExcused ?? (static _ => false));
        _clients = [.. Enumerable.Range(0, count).Select(_ => Task.Run(() => RunAsync(bodyBytes)))];
    }

    /// <summary>Requests that were answered with their own body.</summary>
    public int Answered
    {
        get
        {
            lock (_gate) return _answered;
        }
    }

    /// <summary>Waits until that many more requests were answered as they should be.</summary>
    public async Task AnswerAsync(int more)
    {
        var mark = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _marks.Add((_answered + more, mark));
        await Task.WhenAny(mark.Task, Task.WhenAll(_clients)).WaitAsync(TimeSpan.FromSeconds(60));
        if (!mark.Task.IsCompleted) Assert.Fail($"All clients have stopped:\n{Faults()}");
    }

    /// <summary>Has each finish its last request.</summary>
    /// <returns>How many were answered; that any failed fails the test.</returns>
    public async Task<int> StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        var faults = Faults();
        Assert.True(faults.Length == 0, faults);
        return Answered;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        _stop.Dispose();
    }

    // Ends at its first fault: thousands of the same tell no more.
    private async Task RunAsync(int bodyBytes)
    {
        var body = new byte[bodyBytes];
        while (!_stop.IsCancellationRequested)
        {
            RandomNumberGenerator.Fill(body);
            try
            {
                var answer = await _server.PredictAsync(_model, body);
                if (answer.Status == HttpStatusCode.OK && answer.Body.AsSpan().SequenceEqual(body)) Count();
                else if (!_isExcused(answer)) throw new InvalidOperationException(answer.Status == HttpStatusCode.OK ? "Another body came back." : $"{(int)answer.Status} {answer.Text}");
                await Task.Delay(Pause);
            }
            catch (Exception e) when (e is InvalidOperationException or HttpRequestException or OperationCanceledException)
            {
                lock (_gate) _faults.Add(e.Message);
                return;
            }
        }
    }

    private void Count()
    {
        lock (_gate)
        {
            _answered++;
            foreach (var (count, reached) in _marks) if (count <= _answered) reached.TrySetResult();
            _marks.RemoveAll(mark => mark.Count <= _answered);
        }
    }

    private string Faults()
    {
        lock (_gate) return string.Join('\n', _faults);
    }
}
