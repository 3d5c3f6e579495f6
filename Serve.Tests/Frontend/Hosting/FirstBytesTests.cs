using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Hosting;

public sealed class FirstBytesTests
{
    private static readonly TimeSpan ForEver = TimeSpan.FromHours(1);

    private readonly Pipe _in = new();
    private readonly Pipe _out = new();
    private readonly DefaultConnectionContext _connection;

    public FirstBytesTests() => _connection = new DefaultConnectionContext("1", new Duplex(_in.Reader, _out.Writer), new Duplex(_out.Reader, _in.Writer));

    [Fact]
    public async Task What_is_expected_goes_on_with_all_its_bytes_however_they_come()
    {
        const string Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        string? passedOn = null;
        var checking = FirstBytes.OfHttp2(ForEver).CheckAsync(_connection, async connection =>
        {
            var read = await connection.Transport.Input.ReadAsync(TestContext.Current.CancellationToken);
            passedOn = Encoding.ASCII.GetString(read.Buffer);
        });
        foreach (var letter in Preface + "more") await SendAsync([(byte)letter]);
        await checking;

        Assert.StartsWith(Preface, passedOn, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("PRI * HTTP/1", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("\u0016\u0003", "")]
    public async Task Anything_else_ends_with_a_word_to_those_who_speak_HTTP(string bytes, string answer)
    {
        await SendAsync(Encoding.Latin1.GetBytes(bytes));
        await FirstBytes.OfHttp2(ForEver).CheckAsync(_connection, NotReached);
        Assert.StartsWith(answer, await AnswerAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_says_nothing_ends_when_it_is_asked_to_or_has_left_or_takes_too_long()
    {
        var stopping = new Lifetime();
        _connection.Features.Set<IConnectionLifetimeNotificationFeature>(stopping);
        var checking = FirstBytes.OfTls(ForEver).CheckAsync(_connection, NotReached);
        Assert.False(checking.IsCompleted);
        stopping.RequestClose();
        await checking;

        await new FirstBytesTests().ALeftOneEndsAsync();
        await FirstBytes.OfHttp2(TimeSpan.FromMilliseconds(1)).CheckAsync(new FirstBytesTests()._connection, NotReached);
    }

    private async Task ALeftOneEndsAsync()
    {
        await SendAsync("PRI"u8.ToArray());
        await _in.Writer.CompleteAsync();
        await FirstBytes.OfHttp2(ForEver).CheckAsync(_connection, NotReached);
    }

    private static Task NotReached(ConnectionContext connection) => throw new InvalidOperationException("It was handed on.");

    private async Task SendAsync(byte[] bytes) => await _in.Writer.WriteAsync(bytes, TestContext.Current.CancellationToken);

    private async Task<string> AnswerAsync()
    {
        await _out.Writer.CompleteAsync();
        var read = await _out.Reader.ReadAsync(TestContext.Current.CancellationToken);
        return Encoding.ASCII.GetString(read.Buffer);
    }

    private sealed class Duplex(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input { get; } = input;

        public PipeWriter Output { get; } = output;
    }

    private sealed class Lifetime : IConnectionLifetimeNotificationFeature
    {
        private readonly CancellationTokenSource _requested = new();

        public CancellationToken ConnectionClosedRequested
        {
            get => _requested.Token;
            set => throw new NotSupportedException();
        }

        public void RequestClose() => _requested.Cancel();
    }
}
