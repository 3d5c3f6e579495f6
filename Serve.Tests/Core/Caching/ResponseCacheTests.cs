using System.Buffers;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Caching;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;

namespace Serve.Tests.Core.Caching;

/// <summary>Answers that are kept, and requests that run once, over a scheduler that the test answers for.</summary>
public sealed class ResponseCacheTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly ModelMetrics _metrics = new("cached", "1.0");
    private readonly CacheMetrics _counts = new("cached", "1.0");
    private readonly List<Run> _runs = [];
    private readonly SemaphoreSlim _began = new(0);
    private readonly ResponseCache _cache;

    public ResponseCacheTests() => _cache = Cache(1 << 20);

    public void Dispose()
    {
        _metrics.Dispose();
        _counts.Dispose();
        _began.Dispose();
    }

    [Fact]
    public async Task A_request_with_the_same_input_is_answered_without_running()
    {
        var first = Ask("boot");
        _runs.Single().Answer("Ankle boot");

        Assert.Equal("Ankle boot", await TextAsync(first));
        for (var i = 0; i < 3; i++) Assert.Equal("Ankle boot", await TextAsync(Ask("boot")));
        Assert.Single(_runs);
        Assert.Equal((3, 1), (_counts.Hits.Count, _counts.Misses.Count));
    }

    [Fact]
    public async Task Another_body_name_type_header_or_kind_is_another_request()
    {
        RequestPayload[] requests = [Payload("ab"), Payload("a"), Payload("ab", part: "other"), Payload("ab", type: "text/plain"), Payload("ab", header: ("accept", "text/csv")), Payload("ab", tensors: true)];
        foreach (var request in requests)
        {
            var answer = Ask(request);
            _runs[^1].Answer($"{_runs.Count}");
            Assert.Equal($"{_runs.Count}", await TextAsync(answer));
        }

        Assert.Equal(requests.Length, _runs.Count);
    }

    [Theory]
    [InlineData("x-request-id", "2")]
    [InlineData("User-Agent", "curl")]
    [InlineData("traceparent", "00-1")]
    [InlineData("x-serve-priority", "1")]
    public async Task Headers_of_the_way_do_not_count(string name, string value)
    {
        var first = Ask("x");
        _runs.Single().Answer("y");
        await TextAsync(first);

        Assert.Equal("y", await TextAsync(Ask(Payload("x", header: (name, value)))));
    }

    // They are the handler's parameters, whatever their names.
    [Theory]
    [InlineData("date", false)]
    [InlineData("host", false)]
    [InlineData("x-serve-priority", false)]
    [InlineData("content-type", false)]
    [InlineData("traceparent", true)]
    [InlineData("tracestate", true)]
    public async Task Of_requests_of_tensors_all_headers_count_but_those_of_the_trace(string name, bool isSame)
    {
        foreach (var value in (string[])["multipart/a; boundary=1", "multipart/a; boundary=2"])
        {
            var before = _runs.Count;
            var answer = Ask(Payload("x", header: (name, value), tensors: true));
            if (_runs.Count > before) _runs[^1].Answer(value);
            Assert.Equal(isSame ? "multipart/a; boundary=1" : value, await TextAsync(answer));
        }

        Assert.Equal(isSame ? 1 : 2, _runs.Count);
    }

    [Theory]
    [InlineData("multipart/form-data; boundary=1", "multipart/form-data; boundary=2", 1)]
    [InlineData("Multipart/Form-Data; boundary=1", "Multipart/Form-Data; boundary=2", 1)]
    [InlineData("multipart/form-data; boundary=1", "multipart/mixed; boundary=1", 2)]
    [InlineData("text/plain; charset=utf-8", "text/plain; charset=ascii", 2)]
    public async Task The_boundary_of_a_form_does_not_count(string first, string second, int runs)
    {
        foreach (var type in (string[])[first, second])
        {
            var before = _runs.Count;
            var answer = Ask(Payload("x", header: ("Content-Type", type)));
            if (_runs.Count > before) _runs[^1].Answer("y");
            await TextAsync(answer);
        }

        Assert.Equal(runs, _runs.Count);
    }

    [Fact]
    public async Task Bytes_between_parts_do_not_count()
    {
        var first = Ask(Gap("one", "data"));
        _runs.Single().Answer("y");
        await TextAsync(first);

        Assert.Equal("y", await TextAsync(Ask(Gap("two", "data"))));

        static RequestPayload Gap(string gap, string data)
        {
            var payload = RequestPayload.Rent(16);
            payload.Write(Encoding.UTF8.GetBytes(gap + data));
            payload.AddPart("body", null, gap.Length, data.Length);
            return payload;
        }
    }

    [Fact]
    public async Task Requests_of_a_sequence_always_run()
    {
        for (var i = 1; i <= 2; i++)
        {
            var answer = Ask(Payload("x", header: ("ts_request_sequence_id", "7")));
            Assert.Equal(i, _runs.Count);
            _runs[^1].Answer("y");
            await TextAsync(answer);
        }
    }

    [Fact]
    public async Task Requests_under_way_at_the_same_time_run_once()
    {
        var answers = Enumerable.Range(0, 5).Select(_ => Ask("boot")).ToList();
        _runs.Single().Answer("Ankle boot");

        foreach (var answer in answers) Assert.Equal("Ankle boot", await TextAsync(answer));
        Assert.Equal((4, 1), (_counts.Hits.Count, _counts.Misses.Count));
    }

    [Fact]
    public async Task Who_leaves_takes_nothing_from_the_others_and_the_last_one_ends_the_run()
    {
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var (a, b) = (Ask("x", clientGone: first.Token), Ask("x", clientGone: second.Token));

        await first.CancelAsync();
        await Assert.ThrowsAsync<ClientGoneException>(() => a);
        Assert.False(_runs.Single().Token.IsCancellationRequested);
        await second.CancelAsync();
        await Assert.ThrowsAsync<ClientGoneException>(() => b);
        Assert.True(_runs.Single().Token.IsCancellationRequested);

        // Whoever comes now does not wait for what was given up.
        var c = Ask("x");
        Assert.Equal(2, _runs.Count);
        _runs[1].Answer("y");
        Assert.Equal("y", await TextAsync(c));
        _runs[0].Fail(new ClientGoneException());
    }

    [Fact]
    public async Task The_first_may_leave_and_the_answer_comes_to_those_who_stay_and_is_kept()
    {
        using var first = new CancellationTokenSource();
        var (a, b) = (Ask("x", clientGone: first.Token), Ask("x"));
        await first.CancelAsync();
        await Assert.ThrowsAsync<ClientGoneException>(() => a);
        _runs.Single().Answer("y");

        Assert.Equal("y", await TextAsync(b));
        Assert.Equal("y", await TextAsync(Ask("x")));
    }

    [Fact]
    public async Task Each_has_its_own_deadline()
    {
        var (patient, hasty) = (Ask("x", TimeSpan.FromSeconds(10)), Ask("x", TimeSpan.FromSeconds(1)));
        _time.Advance(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAsync<ResponseTimeoutException>(() => hasty);
        _runs.Single().Answer("y");

        Assert.Equal("y", await TextAsync(patient));
    }

    [Fact]
    public async Task What_was_late_for_the_first_runs_again_for_one_who_has_more_time()
    {
        var (hasty, patient) = (Ask("x", TimeSpan.FromSeconds(1)), Ask("x", TimeSpan.FromSeconds(10)));
        _time.Advance(TimeSpan.FromSeconds(1));
        _runs.Single().Fail(new ResponseTimeoutException("late"));
        await Assert.ThrowsAsync<ResponseTimeoutException>(() => hasty);
        var second = await RunAsync(1);
        Assert.Equal(TimeSpan.FromSeconds(9), second.Timeout);
        second.Answer("y");

        Assert.Equal("y", await TextAsync(patient));
    }

    [Fact]
    public async Task An_error_is_everybodys_and_is_not_kept()
    {
        var answers = Enumerable.Range(0, 3).Select(_ => Ask("x")).ToList();
        _runs.Single().Fail(new BadRequestException("no picture"));
        foreach (var answer in answers) await Assert.ThrowsAsync<BadRequestException>(() => answer);

        var again = Ask("x");
        _runs[1].Answer("handler's own error", status: 422);
        Assert.Equal("handler's own error", await TextAsync(again));
        _ = Ask("x");
        Assert.Equal(3, _runs.Count);
        _runs[2].Answer("");
    }

    [Fact]
    public void A_more_urgent_request_does_not_wait_for_a_less_urgent_one()
    {
        _ = Ask("x", lane: 2);
        _ = Ask("x", lane: 2);
        _ = Ask("x", lane: 0);

        Assert.Equal([2, 0], _runs.Select(run => run.Lane));
        foreach (var run in _runs) run.Answer("y");
    }

    [Fact]
    public async Task Memory_is_bounded_and_what_was_not_used_for_longest_goes_first()
    {
        var cache = Cache(4 * 1024);
        string[] names = ["a", "b", "c"];
        foreach (var name in names) await FillAsync(cache, name, 1000);
        Assert.Equal("a", (await TextAsync(Ask(cache, Payload("a"))))[..1]);
        await FillAsync(cache, "d", 1000);

        var before = _runs.Count;
        foreach (var name in (string[])["a", "c", "d"]) await TextAsync(Ask(cache, Payload(name)));
        Assert.Equal(before, _runs.Count);
        await FillAsync(cache, "b", 1000);
        Assert.Equal(before + 1, _runs.Count);

        await FillAsync(cache, "huge", 10_000);
        await FillAsync(cache, "huge", 10_000);
        Assert.Equal(before + 3, _runs.Count);
    }

    [Fact]
    public async Task Answers_can_be_written_while_the_same_is_given_to_others()
    {
        var first = Ask("x");
        _runs.Single().Answer("y");
        using var one = await first;
        using (var two = await Ask("x")) Assert.Equal("y", Encoding.UTF8.GetString(two.Body.Span));
        using var three = await Ask("x");

        Assert.Equal("y", Encoding.UTF8.GetString(one.Body.Span));
        Assert.Equal("y", Encoding.UTF8.GetString(three.Body.Span));
    }

    // Each is signalled when it is there.
    private async Task<Run> RunAsync(int index)
    {
        for (var i = 0; i <= index; i++) Assert.True(await _began.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        return _runs[index];
    }

    private static async Task<string> TextAsync(Task<InferenceResponse> answer)
    {
        using var response = await answer;
        return Encoding.UTF8.GetString(response.Body.Span);
    }

    private static RequestPayload Payload(string body, string part = "body", string? type = null, (string Name, string Value)? header = null, bool tensors = false)
    {
        var payload = RequestPayload.Rent(body.Length);
        if (header is { } given) payload.AddHeader(given.Name, given.Value);
        payload.Write(Encoding.UTF8.GetBytes(body));
        payload.AddPart(part, type, 0, body.Length);
        if (tensors) payload.CarriesTensors = true;
        return payload;
    }

    private ResponseCache Cache(long bytes) => new(bytes, (payload, lane, timeout, _, token, _) =>
    {
        var run = new Run(payload, lane, timeout, token);
        _runs.Add(run);
        _began.Release();
        return new ValueTask<InferenceResponse>(run.Task);
    }, _time, _metrics, _counts);

    private Task<InferenceResponse> Ask(string body, TimeSpan? timeout = null, int lane = 0, CancellationToken clientGone = default) => Ask(_cache, Payload(body), timeout, lane, clientGone);

    private Task<InferenceResponse> Ask(RequestPayload payload) => Ask(_cache, payload);

    private static Task<InferenceResponse> Ask(ResponseCache cache, RequestPayload payload, TimeSpan? timeout = null, int lane = 0, CancellationToken clientGone = default) =>
        cache.InferAsync(payload, lane, timeout ?? TimeSpan.FromMinutes(1), isClients: timeout is not null, rows: 1, clientGone).AsTask();

    private async Task FillAsync(ResponseCache cache, string name, int bytes)
    {
        var answer = Ask(cache, Payload(name));
        _runs[^1].Answer(name + new string('.', bytes));
        await TextAsync(answer);
    }

    private sealed class Run(RequestPayload payload, int lane, TimeSpan timeout, CancellationToken token)
    {
        private readonly TaskCompletionSource<InferenceResponse> _answer = new();

        public Task<InferenceResponse> Task => _answer.Task;

        public int Lane => lane;

        public TimeSpan Timeout => timeout;

        public CancellationToken Token => token;

        public void Answer(string text, int status = 200)
        {
            var response = InferenceResponse.Rent(status, "text/plain", [], default);
            response.Append(Encoding.UTF8.GetBytes(text));
            payload.Release();
            _answer.SetResult(response);
        }

        public void Fail(Exception error)
        {
            payload.Release();
            _answer.SetException(error);
        }
    }
}
