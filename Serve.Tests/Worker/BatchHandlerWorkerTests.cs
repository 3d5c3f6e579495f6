using System.Text;
using Serve.Core.Protocol;

namespace Serve.Tests.Worker;

public sealed class BatchHandlerWorkerTests : IDisposable
{
    private readonly HandlerModel _model = HandlerModel.WithTestHandlers();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void A_batch_handler_is_given_parts_and_headers_as_they_were_sent()
    {
        using var worker = StartReady("HeaderEchoHandler");

        worker.Run(7, "payload"u8, "text/plain", headers: [("X-Trace", "åbc"), ("url_path", "v1/things")]);
        var answer = worker.ReadAnswer();

        Assert.Equal((7ul, 200, "application/json"), (answer.Id, answer.Status, answer.ContentType));
        Assert.Equal("åbc", answer.Json.GetProperty("headers").GetProperty("X-Trace").GetString());
        Assert.Equal("v1/things", answer.Json.GetProperty("headers").GetProperty("url_path").GetString());
        var part = answer.Json.GetProperty("parts")[0];
        Assert.Equal(("body", "text/plain"), (part.GetProperty("name").GetString(), part.GetProperty("contentType").GetString()));
        Assert.Equal("payload"u8, part.GetProperty("data").GetBytesFromBase64());
        Assert.Equal(new("X-Echo", "yes"), Assert.Single(answer.Headers));
        Assert.Equal(1u, answer.Times.BatchRows);
    }

    [Fact]
    public void Each_request_of_a_batch_fails_alone()
    {
        using var worker = StartReady("FailingHandler");

        string[] bodies = ["one", "bad", "broken", "teapot", "two"];
        for (var i = 0; i < bodies.Length; i++) worker.Run((ulong)i + 1, Encoding.UTF8.GetBytes(bodies[i]), flush: false);
        worker.Flush();
        var answers = worker.ReadAnswers(bodies.Length).ToDictionary(answer => answer.Id);

        Assert.Equal((200, "one"), (answers[1].Status, answers[1].Text));
        Assert.Equal((400, new ErrorMessage("BadRequestException", "The body is bad.")), (answers[2].Status, answers[2].Error));
        Assert.Equal(500, answers[3].Status);
        Assert.Equal(new ErrorMessage("InternalServerException", "The handler failed with InvalidOperationException: Something broke.", "System.InvalidOperationException: Something broke."), answers[3].Error);
        Assert.Equal((418, "text/plain", "I am a teapot."), (answers[4].Status, answers[4].ContentType, answers[4].Text));
        Assert.Equal((200, "two"), (answers[5].Status, answers[5].Text));
    }

    [Theory]
    [InlineData("header", "The handler set the header X-Broken to a value with letters that are not printable ASCII, or one that is too long.")]
    [InlineData("status", "The handler set the status 42; an answer has 200 to 599.")]
    public void What_HTTP_cannot_carry_is_an_error_of_that_request(string body, string message)
    {
        using var worker = StartReady("FailingHandler");

        worker.Run(1, body);

        Assert.Equal((500, message), StatusAndMessage(worker.ReadAnswer()));
    }

    [Fact]
    public void An_exception_that_cannot_be_described_fails_its_request_alone()
    {
        using var worker = StartReady("FailingHandler");

        worker.Run(1, "mute");
        Assert.Equal((500, "The handler failed with MuteException, which cannot be described: that failed with NotSupportedException."), StatusAndMessage(worker.ReadAnswer()));

        worker.Run(2, "fine");
        Assert.Equal("fine", worker.ReadAnswer().Text);
    }

    [Fact]
    public void An_exception_of_a_batch_handler_answers_every_call_of_its_batch()
    {
        using var worker = StartReady("FailingHandler");

        worker.Run(1, "throw");

        var answer = worker.ReadAnswer();
        Assert.Equal((500, "The handler failed with InvalidOperationException: Everything broke."), StatusAndMessage(answer));
        Assert.Contains("FailingHandler.Answer", answer.Error.Detail, StringComparison.Ordinal); // the stack is for the frontend's log

        worker.Send(FrameType.Stop);
        Assert.Equal(0, worker.WaitForExit());
    }

    [Fact]
    public void Requests_that_arrive_while_a_batch_executes_form_the_next_one()
    {
        using var gated = new GatedWorker(_model, "GatedHandler");
        var worker = gated.Worker;

        worker.Run(1, "first");
        Assert.Equal(1, gated.Gate.WaitForBatch());
        Assert.Equal([1ul], worker.ReadBegun());
        for (ulong id = 2; id <= 12; id++) worker.Run(id, $"request {id}");
        gated.LetArrive();
        gated.Gate.Open();

        Assert.Equal(8, gated.Gate.WaitForBatch()); // batchSize, not more
        Assert.Equal([2ul, 3, 4, 5, 6, 7, 8, 9], worker.ReadBegun());
        gated.Gate.Open();
        Assert.Equal(3, gated.Gate.WaitForBatch());
        gated.Gate.Open();
        var answers = worker.ReadAnswers(12).Where(answer => answer.Id > 1).ToList();
        Assert.All(answers, answer => Assert.Equal($"request {answer.Id}", answer.Text));
        Assert.All(answers, answer => Assert.Equal(answer.Id < 10 ? 8u : 3u, answer.Times.BatchRows));
    }

    [Fact]
    public void A_higher_lane_goes_first()
    {
        using var gated = new GatedWorker(_model, "GatedHandler", batchSize: 2);
        var worker = gated.Worker;

        worker.Run(1, "first");
        gated.Gate.WaitForBatch();
        Assert.Equal([1ul], worker.ReadBegun());
        worker.Run(2, "low"u8, lane: 2);
        worker.Run(3, "low"u8, lane: 2);
        worker.Run(4, "high"u8, lane: 0);
        gated.LetArrive();
        gated.Gate.Open();
        gated.Gate.WaitForBatch();

        Assert.Equal([4ul, 2], worker.ReadBegun());
    }

    [Fact]
    public void A_request_cancelled_before_it_begins_is_answered_499_and_never_executed()
    {
        using var gated = new GatedWorker(_model, "GatedHandler");
        var worker = gated.Worker;

        worker.Run(1, "first");
        gated.Gate.WaitForBatch();
        worker.Run(2, "second");
        worker.Run(3, "third");
        worker.Send(FrameType.Cancel, 2);

        Assert.Equal((2ul, 499), IdAndStatus(worker.ReadAnswer()));
        gated.Gate.Open();
        Assert.Equal((1ul, 200), IdAndStatus(worker.ReadAnswer()));
        Assert.Equal(1, gated.Gate.WaitForBatch());
        gated.Gate.Open();
        Assert.Equal((3ul, 200), IdAndStatus(worker.ReadAnswer()));
    }

    [Fact]
    public void A_request_cancelled_while_it_executes_is_answered_once_and_its_neighbours_are_not_concerned()
    {
        using var gated = new GatedWorker(_model, "GatedHandler");
        var worker = gated.Worker;
        for (ulong id = 1; id <= 3; id++) worker.Run(id, "row"u8, more: id < 3, flush: id == 3);
        gated.Gate.WaitForBatch();

        worker.Send(FrameType.Cancel, 2);
        worker.Send(FrameType.Cancel, 2);
        gated.LetArrive();
        gated.Gate.Open();

        Assert.Equal([(1ul, 200), (2ul, 499), (3ul, 200)], worker.ReadAnswers(3).Select(IdAndStatus));
        worker.Run(4, "next");
        gated.Gate.WaitForBatch();
        gated.Gate.Open();
        Assert.Equal((4ul, 200), IdAndStatus(worker.ReadAnswer()));
    }

    [Fact]
    public void A_batch_is_cancelled_when_nobody_waits_for_any_of_its_answers()
    {
        using var gated = new GatedWorker(_model, "GatedHandler");
        var worker = gated.Worker;

        worker.Run(1, "first");
        gated.Gate.WaitForBatch();
        worker.Send(FrameType.Cancel, 1);

        Assert.Equal(0, gated.Gate.WaitForBatch()); // the handler's token
        gated.Gate.Open();
        Assert.Equal((1ul, 499), IdAndStatus(worker.ReadAnswer()));

        // The next batch has a token of its own.
        worker.Run(2, "second");
        Assert.Equal(1, gated.Gate.WaitForBatch());
        gated.Gate.Open();
        Assert.Equal((2ul, 200), IdAndStatus(worker.ReadAnswer()));
    }

    [Fact]
    public void A_request_past_its_deadline_is_answered_504_without_the_device()
    {
        using var gated = new GatedWorker(_model, "GatedHandler");
        var worker = gated.Worker;

        worker.Run(1, "first");
        gated.Gate.WaitForBatch();
        worker.Run(2, "late"u8, deadlineMicroseconds: 1);
        worker.Run(3, "third");
        gated.LetArrive();
        gated.Gate.Open();

        // The late one is answered when the next batch is closed, which may be before the first batch is answered.
        var answers = worker.ReadAnswers(2).OrderBy(answer => answer.Id).ToList();
        Assert.Equal((1ul, 200), IdAndStatus(answers[0]));
        var late = answers[1];
        Assert.Equal((2ul, 504, "ResponseTimeoutException"), (late.Id, late.Status, late.Error.Type));
        Assert.Equal(0u, late.Times.BatchRows);
        Assert.Equal(1, gated.Gate.WaitForBatch());
        gated.Gate.Open();
        Assert.Equal((3ul, 200), IdAndStatus(worker.ReadAnswer()));
    }

    [Fact]
    public void A_recall_gives_back_what_has_not_begun_the_last_arrived_first()
    {
        using var gated = new GatedWorker(_model, "GatedHandler");
        var worker = gated.Worker;

        for (ulong id = 1; id <= 5; id++)
        {
            worker.Run(id, $"request {id}");
            if (id == 1) gated.Gate.WaitForBatch();
        }

        worker.Recall(2);
        Assert.Equal([5ul, 4], IdListFrame.Parse(worker.ReadBody(FrameType.Returned)).ToArray());
        worker.Recall(100);
        Assert.Equal([3ul, 2], IdListFrame.Parse(worker.ReadBody(FrameType.Returned)).ToArray());
        worker.Recall(100);
        Assert.Empty(IdListFrame.Parse(worker.ReadBody(FrameType.Returned)).ToArray());

        // What was given back may come again.
        worker.Run(4, "again");
        gated.LetArrive();
        gated.Gate.Open();
        gated.Gate.WaitForBatch();
        gated.Gate.Open();
        Assert.Equal(["request 1", "again"], worker.ReadAnswers(2).OrderBy(answer => answer.Id).Select(answer => answer.Text));
    }

    [Fact]
    public void Requests_announced_as_one_batch_run_as_one_batch()
    {
        using var gated = new GatedWorker(_model, "GatedHandler");
        var worker = gated.Worker;

        for (ulong id = 1; id <= 3; id++) worker.Run(id, "row"u8, more: id < 3, flush: id == 3);

        Assert.Equal(3, gated.Gate.WaitForBatch());
        gated.Gate.Open();
        Assert.All(worker.ReadAnswers(3), answer => Assert.Equal(3u, answer.Times.BatchRows));
    }

    [Theory]
    [InlineData("200")]
    [InlineData("499")]
    [InlineData("1000")]
    public void A_failure_with_a_status_that_no_error_has_is_one_of_the_handler(string status)
    {
        using var worker = StartReady("FailingHandler");
        worker.Run(1, status, "text/plain");
        var answer = worker.ReadAnswer();
        Assert.Equal((500, $"The handler failed with the status {status}, which is no error that a handler can answer with: No error has this status."), (answer.Status, answer.Error.Message));

        worker.Run(2, "fine", "text/plain");
        Assert.Equal("fine", worker.ReadAnswer().Text);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8_193)]
    [InlineData(5_000_000)]
    public void Outputs_of_any_size_arrive_whole(int length)
    {
        using var worker = StartReady("BigOutputHandler");

        for (ulong id = 1; id <= 3; id++) worker.Run(id, length.ToString());

        foreach (var answer in worker.ReadAnswers(3))
        {
            Assert.Equal((200, length), (answer.Status, answer.Body.Length));
            for (var i = 0; i < length; i++)
            {
                if (answer.Body[i] != i % 251) Assert.Fail($"byte {i}");
            }
        }
    }

    [Fact]
    public void A_large_request_is_read_whole()
    {
        using var worker = StartReady("EchoHandler");
        var body = new byte[3_000_000];
        new Random(1).NextBytes(body);

        worker.Run(1, body, "application/x-thing");
        var answer = worker.ReadAnswer();

        Assert.Equal("application/x-thing", answer.ContentType);
        Assert.Equal(body, answer.Body);
    }

    private static (int Status, string Message) StatusAndMessage(WorkerConnection.Answer answer) => (answer.Status, answer.Error.Message);

    private static (ulong Id, int Status) IdAndStatus(WorkerConnection.Answer answer) => (answer.Id, answer.Status);

    private WorkerConnection StartReady(string handler) => WorkerConnection.StartReady(_model.Folder, HandlerModel.Configuration(handler));

    /// <summary>A worker whose batches wait for the test.</summary>
    private sealed class GatedWorker : IDisposable
    {
        public GatedWorker(HandlerModel model, string handler, int batchSize = 8)
        {
            Gate = new Gate(model.File("gate.sock"));
            Worker = WorkerConnection.StartReady(model.Folder, HandlerModel.Configuration(handler, batchSize, ("gate", Gate.Path)));
        }

        public Gate Gate { get; }

        public WorkerConnection Worker { get; }

        /// <summary>Returns when the worker has taken in everything sent so far: frames are handled in order, and this one is answered.</summary>
        public void LetArrive()
        {
            Worker.Recall(0);
            Worker.Read(FrameType.Returned);
        }

        public void Dispose()
        {
            Worker.Dispose();
            Gate.Dispose();
        }
    }
}
