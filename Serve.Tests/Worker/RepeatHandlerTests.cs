using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.BuiltIn;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Worker;

public sealed class RepeatHandlerTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Each_call_is_answered_at_its_own_pace_and_ends_by_itself()
    {
        var (slow, quick) = (new Sink(), new Sink());
        var calls = new[] { Call("""{"text": "a", "count": 3, "intervalMs": 100}""", slow), Call("""{"text": "b", "count": 2, "intervalMs": 60}""", quick) };
        using var handler = new RepeatHandler(_time);
        var executing = Task.Run(() => handler.Execute(calls, CancellationToken.None), TestContext.Current.CancellationToken);

        Assert.Equal(("a", "b"), (slow.Next(), quick.Next()));
        _time.Advance(TimeSpan.FromMilliseconds(60));
        Assert.Equal("b", quick.Next());
        Assert.Equal("end", quick.Next());
        Assert.True(slow.IsEmpty);
        _time.Advance(TimeSpan.FromMilliseconds(40));
        Assert.Equal("a", slow.Next());
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(("a", "end"), (slow.Next(), slow.Next()));
        await executing;
    }

    [Fact]
    public async Task A_call_whose_client_has_left_ends_without_waiting()
    {
        var sink = new Sink();
        var call = Call("""{"text": "a", "count": 3, "intervalMs": 3600000}""", sink);
        using var handler = new RepeatHandler(_time);
        var executing = Task.Run(() => handler.Execute([call], CancellationToken.None), TestContext.Current.CancellationToken);
        Assert.Equal("a", sink.Next());
        call.Cancel();
        Assert.Equal("end", sink.Next());
        await executing;
    }

    [Theory]
    [InlineData("", "The body is not JSON like")]
    [InlineData("[]", "The body is not JSON like")]
    [InlineData("null", "The body has no \"text\"")]
    [InlineData("""{"count": 3}""", "The body has no \"text\"")]
    [InlineData("""{"text": "a", "count": 1000001}""", "\"count\" is 1000001; it must be 1 to 1000000.")]
    [InlineData("""{"text": "a", "intervalMs": -1}""", "\"intervalMs\" is -1; it must be 0 to 3600000.")]
    public void What_is_wrong_is_said(string body, string message)
    {
        var call = Call(body, new Sink());
        using var handler = new RepeatHandler(_time);
        handler.Execute([call], CancellationToken.None);
        Assert.StartsWith(message, Assert.IsType<BadRequestException>(call.Error).Message, StringComparison.Ordinal);
        Assert.True(call.IsEnded);
    }

    private static HandlerCall Call(string body, ICallSink sink) => new(new HandlerRequest(1, [new RequestPart("body", "", Encoding.UTF8.GetBytes(body))], []), new WorkerResponse(), sink);

    /// <summary>Remembers parts and the end.</summary>
    private sealed class Sink : ICallSink
    {
        private readonly BlockingCollection<string> _parts = [];

        public bool IsEmpty => _parts.Count == 0;

        public string Next() => _parts.TryTake(out var part, TimeSpan.FromSeconds(60)) ? part : throw new TimeoutException("No part came.");

        public ValueTask<bool> SendPartAsync(HandlerCall call)
        {
            var bytes = ((WorkerResponse)call.Response).DetachBody(out var length);
            _parts.Add(Encoding.UTF8.GetString(bytes, 0, length));
            return new(true);
        }

        public bool HasRoom(HandlerCall call) => true;

        public void End(HandlerCall call) => _parts.Add("end");
    }
}
