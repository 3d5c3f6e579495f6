using System.Net;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Section 5: what happens behind the interfaces.</summary>
internal static class BehaviourRows
{
    public static IEnumerable<Section> All =>
    [
        new("5.1", "Processes and their protocol",
        [
            Row.Same("One frontend, one process for each worker", Evidence.In<WorkerDeathTests>(nameof(WorkerDeathTests.Killing_workers_under_load_fails_no_request))),
            Row.Differs("Each worker has its own copy of the weights", "`instances` of a worker share one.", async s => Assert.True((await s.DescribeAsync("fashion-vit")).GetProperty("instances").GetInt32() >= 1)),
            Row.Not("Workers over TCP on `initial_worker_port` + n", "Always Unix sockets, in a private folder, with a token for each worker."),
            Row.Not("Frames `L` and `I`", "Serve's own protocol ([worker-protocol.md](worker-protocol.md)); workers of TorchServe cannot be used."),
            Row.Differs("One batch in flight per worker", "One executes while the next is decoded.", async s =>
            {
                using var gates = new Gates();
                HandlerModels.Write(s.Store, "two-in-flight", "GatedHandler", $"batchSize: 1\ninstances: 1\n{gates.Setting}");
                var registered = s.AskAsync("M:POST /models?url=two-in-flight/1.0&initial_workers=1");
                var gate = await gates.NextAsync();
                Assert.Equal(HttpStatusCode.OK, (await registered).Status);
                var answers = Enumerable.Range(0, 3).Select(_ => s.AskAsync("POST /predictions/two-in-flight", "x")).ToList();
                await gate.BatchAsync();
                await Eventually.BecomesAsync("the worker has two batches, and one waits", () => s.Server.DescribeAsync("two-in-flight"), version => version is { JobQueueStatus.PendingRequests: 1, Workers: [{ OutstandingRows: 2 }] });
                gate.Open();
                var open = gate.StayOpenAsync();
                Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
                await s.AskAsync("M:DELETE /models/two-in-flight");
                await open;
            }),
        ]),
        new("5.2", "The queue",
        [
            Row.Same("A bounded queue for each model version, `job_queue_size` long", async s => Assert.Equal(77, (await s.DescribeAsync("echo")).GetProperty("jobQueueStatus").GetProperty("remainingCapacity").GetInt32())),
            Row.Same("A full queue refuses at once with 503", Evidence.In<OverloadTests>(nameof(OverloadTests.What_a_full_queue_refuses_may_come_again_and_the_rest_is_answered))),
            Row.Differs("Requests are queued while the model loads", "503 with `Retry-After`, until a worker is ready.", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Asynchronous_calls_are_answered_before_the_workers_are_there_and_synchronous_ones_after))),
            Row.Differs("With workers that have given up, requests wait for ever", "503 that says why the model has failed.", Evidence.In<BadModelTests>(nameof(BadModelTests.A_failed_model_that_was_mended_serves_after_scaling))),
            Row.Differs("Requests on a worker that dies fail", "They run elsewhere.", Evidence.In<WorkerDeathTests>(nameof(WorkerDeathTests.Killing_workers_under_load_fails_no_request))),
            Row.Differs("First in, first out; no priorities", "By priority, deadline, arrival.", Evidence.In<OverloadTests>(nameof(OverloadTests.Priorities_go_before_arrival))),
        ]),
        new("5.3", "Batches",
        [
            Row.Same("`batchSize` and `maxBatchDelay`, with `batching: delayed`", Evidence.In<OverloadTests>(nameof(OverloadTests.Delayed_batching_fills_batches_and_lets_nobody_wait_for_ever))),
            Row.Differs("Every incomplete batch waits for `maxBatchDelay`", "By default none does: a batch closes when the device is free (`batching: adaptive`).", async s => Assert.Equal("adaptive", (await s.DescribeAsync("echo")).GetProperty("batching").GetString())),
            Row.Differs("The delay counts from when the first request is taken", "From its arrival.", Evidence.In<OverloadTests>(nameof(OverloadTests.Delayed_batching_fills_batches_and_lets_nobody_wait_for_ever))),
            Row.Not("One worker at a time gathers a batch", "There is no such lock: requests are placed one by one."),
            Row.Differs("A describe job is a batch of its own, between the others", "It runs beside the batches.", Evidence.In<DescribeHandlerTests>(nameof(DescribeHandlerTests.A_handler_says_how_it_is_now))),
            Row.Differs("Expired requests are dropped without an answer", "504, without device time.", Evidence.In<OverloadTests>(nameof(OverloadTests.A_deadline_that_passes_while_it_waits_costs_no_device_time))),
            Row.Same("Results are matched by the request's id", async s =>
            {
                var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(async i => (Sent: $"body {i}", Came: (await s.AskAsync("POST /predictions/echo", $"body {i}")).Text)));
                Assert.All(answers, answer => Assert.Equal(answer.Sent, answer.Came));
            }),
            Row.Differs("An error fails the whole batch", "Each request fails alone.", Evidence.In<BatchTests>(nameof(BatchTests.Each_request_of_a_handlers_batch_fails_alone))),
        ]),
        new("5.4", "A worker's life",
        [
            Row.Differs("Restarts by a Fibonacci-like series of waits", "Exponential, with jitter; the first at once.", Evidence.In<WorkerDeathTests>(nameof(WorkerDeathTests.A_worker_killed_while_it_loads_is_replaced))),
            Row.Same("`responseTimeout` per model; a worker that exceeds it is killed and replaced", Evidence.In<WorkerDeathTests>(nameof(WorkerDeathTests.A_stuck_worker_is_replaced_and_only_what_it_held_is_late))),
            Row.Same("`startupTimeout` per model; a worker that exceeds it is killed", async s =>
            {
                using var gates = new Gates();
                HandlerModels.Write(s.Store, "never-loads", "SlowToLoadHandler", $"startupTimeout: 1\nmaxRetries: 0\n{gates.Setting}");
                Assert.EndsWith("it was not ready within 1 s (startupTimeout)", (await s.IsAsync("M:POST /models?url=never-loads/1.0&initial_workers=1", 500)).Error.Message, StringComparison.Ordinal);
            }),
            Row.Same("Recovery is given up after `maxRetryTimeoutInSec`, 300 by default", async s =>
            {
                Assert.Equal(300, (await s.DescribeAsync("echo")).GetProperty("maxRetryTimeoutInSec").GetInt32());
                HandlerModels.Write(s.Store, "gives-up", "HungryHandler", "maxRetries: 1000\nmaxRetryTimeoutInSec: 1");
                await s.IsAsync("M:POST /models?url=gives-up/1.0&initial_workers=1", 507);
            }),
            Row.Differs("A worker that was given up is not revived by the same count", "Any scaling tries again.", Evidence.In<BadModelTests>(nameof(BadModelTests.A_failed_model_that_was_mended_serves_after_scaling))),
            Row.Same("What workers print is in the frontend's log", Evidence.In<WorkerDeathTests>(nameof(WorkerDeathTests.A_stuck_worker_is_replaced_and_only_what_it_held_is_late))),
        ]),
        new("5.5", "Scaling",
        [
            Row.Same("Up: the missing workers start at once", Evidence.In<ScalingTests>(nameof(ScalingTests.Scaling_under_load_fails_no_request))),
            Row.Differs("Down: the newest are killed, with what they have", "They finish it first.", Evidence.In<ScalingTests>(nameof(ScalingTests.Scaling_under_load_fails_no_request))),
            Row.Same("The numbers that it has already: nothing happens, 202 or 200", s => s.IsAsync("M:PUT /models/echo?min_worker=1&synchronous=true", 200, "Workers scaled to 1 for model: echo")),
            Row.Differs("Nothing scales by load", "Between `minWorkers` and `maxWorkers`, with `autoscale`.", Evidence.In<AutoscalingTests>(nameof(AutoscalingTests.Workers_become_more_under_load_and_fewer_after_it))),
            Row.Differs("GPUs in turn, over `deviceIds` where given", "Over `deviceIds`; without them the first GPU.", s => s.WithModelAsync("by-device", "EchoHandler", "deviceType: gpu\ndeviceIds: [0, 2]", async () =>
            {
                // A handler without a graph of ONNX Runtime's needs no GPU to be told of one.
                var devices = (await s.DescribeAsync("by-device")).GetProperty("workers").EnumerateArray().Select(worker => worker.GetProperty("device").GetString()).Order();
                Assert.Equal(["gpu:0", "gpu:2"], devices);
            }, workers: 2)),
        ]),
        new("5.6", "Micro-batching",
        [
            Row.Differs("A handler of its own splits a batch, so that decoding overlaps execution", "It always does.", Evidence.In<AccuracyTests>(nameof(AccuracyTests.A_thousand_pictures_from_many_clients_get_the_references_labels))),
        ]),
        new("5.7", "Sequences with state",
        [
            Row.Later("A queue for each `ts_request_sequence_id`; `maxNumSequence`, `maxSequenceJobQueueSize`"),
            Row.Later("End by header, `sequenceMaxIdleMSec` or `sequenceTimeoutMSec`"),
            Row.Later("An id of the server's, `ts-seq-…`, where a start has none"),
        ]),
        new("5.8", "Continuous batching",
        [
            Row.Differs("`continuousBatching`: a batch is filled up after each step", "A request that ends frees its place at once; those that come are a batch of their own, which runs beside it (`instances`).", Evidence.In<StreamingTests>(nameof(StreamingTests.Streams_of_one_batch_end_one_by_one_and_free_their_places))),
            Row.Same("A request stays in the batch until its handler says that it is done; a client that leaves takes it out", Evidence.In<StreamingTests>(nameof(StreamingTests.A_client_that_leaves_stops_its_own_stream_and_no_other))),
        ]),
        new("5.9", "Large models",
        [
            Row.Not("`parallelType`, `parallelLevel`, torchrun: a model over several devices", "ONNX Runtime executes a model on one device."),
        ]),
        new("5.10", "Job tickets and expiry",
        [
            Row.Not("`useJobTicket`: 503 unless a worker is idle", "`maxQueueSize: 1`, or a deadline, refuses early too."),
            Row.Differs("`clientTimeoutInMills` drops late requests without an answer", "Every request has a deadline (`x-serve-timeout-ms`, `responseTimeout`), and is answered 504.", Evidence.In<OverloadTests>(nameof(OverloadTests.A_deadline_that_passes_while_it_waits_costs_no_device_time))),
            Row.Differs("A client that leaves is not noticed", "Its request leaves the queue, or frees its row.", Evidence.In<OverloadTests>(nameof(OverloadTests.A_client_that_leaves_takes_its_request_along))),
        ]),
        new("5.11", "Security",
        [
            Row.Differs("Tokens are on by default, made at start and written to `key_file.json`", "Listeners are on loopback by default, and any other address needs tokens (or `auth: none`): an operator's, or made at start in a `keyFile` like TorchServe's.", Evidence.In<KeyFileTests>(nameof(KeyFileTests.Tokens_are_made_renewed_and_removed))),
            Row.Same("`Authorization: Bearer TOKEN`", Evidence.In<TokenTests>(nameof(TokenTests.Each_token_opens_what_it_is_for))),
            Row.Differs("Model control is off by default", "On while the listener is on loopback or has tokens.", s => s.IsAsync("M:POST /models", 400)),
            Row.Same("`allowed_urls`; `..` in URLs is refused", s => s.IsAsync("M:POST /models?url=../x.mar", 404, "Relative path is not allowed in url: ../x.mar")),
            Row.Same("Archives cannot write outside their folder", Evidence.In<KnownVulnerabilityTests>(nameof(KnownVulnerabilityTests.An_archive_writes_nothing_outside_its_folder))),
            Row.Differs("TLS 1.2, keystore or PEM, a self-signed certificate if there is none", "TLS 1.2 and 1.3, PEM; without a certificate it does not start.", Evidence.In<TlsTests>(nameof(TlsTests.Old_versions_plain_HTTP_and_nonsense_are_refused))),
            Row.Same("Addresses are on loopback by default", Evidence.In<KnownVulnerabilityTests>(nameof(KnownVulnerabilityTests.Nobody_but_this_machine_reaches_a_server_that_nobody_has_opened)), "Others need tokens or `auth: none`."),
        ]),
        new("5.12", "Stopping",
        [
            Row.Same("`--stop` ends the server", Evidence.In<CommandLineTests>(nameof(CommandLineTests.Stop_ends_the_server)), "`serve stop`."),
            Row.Differs("Requests in flight are lost", "They are finished, within `drainTimeout`.", Evidence.In<LifecycleTests>(nameof(LifecycleTests.SIGTERM_finishes_what_was_accepted))),
        ]),
        new("5.13", "ONNX",
        [
            Row.Later("`.onnx` files run on CUDA where there is a device", "It is there (`deviceType: gpu`), and not yet tried on a GPU: [gpu-checks.md](gpu-checks.md)."),
            Row.Same("On the CPU otherwise", async s => Assert.Equal("cpu:0", (await s.DescribeAsync("fashion-vit")).GetProperty("workers")[0].GetProperty("device").GetString())),
            Row.Differs("Inputs go through NumPy, without IO binding, without provider options", "Rows are decoded where their batch will be; providers and their options are settings.", Evidence.In<AccuracyTests>(nameof(AccuracyTests.A_thousand_pictures_from_many_clients_get_the_references_labels))),
        ]),
    ];
}
