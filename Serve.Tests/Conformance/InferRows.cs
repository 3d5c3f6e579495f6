using Serve.Tests.Compatibility;
using Serve.Tests.EndToEnd.OpenInference;
using Serve.Tests.Frontend.OpenInference;

namespace Serve.Tests.Conformance;

/// <summary>What runs models.</summary>
internal static class InferRows
{
    public static IEnumerable<Section> All =>
    [
        new("1.3", "Datatypes",
        [
            Row.Same("All datatypes, row-major and little-endian, BYTES with lengths: bit for bit as they came, empty tensors and scalars too", RoundTrip(nameof(RoundTripTests.Over_REST_binary))),
            Row.Same("… over gRPC, raw", RoundTrip(nameof(RoundTripTests.Over_gRPC_raw))),
            Row.Same("… over gRPC, typed contents", RoundTrip(nameof(RoundTripTests.Over_gRPC_typed))),
            Row.Same("… in JSON, flat or nested", RoundTrip(nameof(RoundTripTests.Over_REST_in_JSON_but_for_what_JSON_cannot_carry))),
            Row.Same("FP16 and BF16 have no form in JSON: 400 both ways", Rest(nameof(InferRestTests.What_does_not_fit_the_model_is_said_in_Tritons_words))),
            Row.Differs("NaN and infinities in JSON", "The texts `\"NaN\"`, `\"Infinity\"`, `\"-Infinity\"`, both ways; JSON has no such numbers.", Reader(nameof(RequestJsonReaderTests.Elements_become_their_bytes))),
        ]),
        new("1.4", "Requests and answers in JSON",
        [
            Row.Same("`id`, `parameters`, `inputs`, `outputs`; `id` comes back if it is not empty", Rest(nameof(InferRestTests.Tensors_come_back_as_they_were_asked_for))),
            Row.Same("Without `outputs` all of them are answered, else those that are named", Rest(nameof(InferRestTests.Only_the_outputs_that_are_asked_for_come_each_in_its_form))),
            Row.Same("An input has exactly one of `data`, `binary_data_size`, `shared_memory_region`", Reader(nameof(RequestJsonReaderTests.What_is_no_request_is_refused))),
            Row.Same("Parameters are texts, numbers, true or false; `triton_…` is reserved", Reader(nameof(RequestJsonReaderTests.What_is_no_request_is_refused))),
            Row.Same("JSON may be nested 100 deep", Reader(nameof(RequestJsonReaderTests.Nesting_deeper_than_100_and_invalid_utf8_are_refused))),
            Row.Same("Negative and overflowing shapes: 400", Reader(nameof(RequestJsonReaderTests.What_is_no_tensor_is_refused))),
            Row.Differs("A count of elements other than the shape's: 500", "400: the request is wrong, not the server.", Reader(nameof(RequestJsonReaderTests.What_is_no_tensor_is_refused))),
            Row.Differs("A key that stands twice", "400.", Reader(nameof(RequestJsonReaderTests.What_is_no_request_is_refused))),
            Row.Same("No Content-Type is needed; bodies may come in chunks", Rest(nameof(InferRestTests.A_body_in_chunks_and_without_a_media_type_is_read))),
            Row.Same("What tritonclient's C++ client and perf_analyzer send, as their published code writes it, and the fields that they read", Evidence.In<TritonClientTests>(nameof(TritonClientTests.What_perf_analyzer_asks_for_before_during_and_after_a_run_is_answered_as_it_reads_it)), "The programs themselves have not been run."),
            Row.Same("… and its Python client", Evidence.In<TritonClientTests>(nameof(TritonClientTests.What_the_Python_client_sends_is_answered))),
            Row.Same("What does not fit the model: 400 in Triton's words (number of inputs, datatype, shape, batch size, byte size, names)", Rest(nameof(InferRestTests.What_does_not_fit_the_model_is_said_in_Tritons_words))),
            Row.Same("Unknown models and versions: 404 `Request for unknown model: …`", Rest(nameof(InferRestTests.Models_that_are_not_there_or_not_of_this_kind_say_so))),
            Row.Same("Whatever is malformed is a 4xx with a message", Evidence.In<MalformedRequestTests>(nameof(MalformedRequestTests.Over_REST_each_is_a_4xx_with_a_message))),
            Row.Differs("A version is a number; without one, the highest that is ready", "Any text; without one, the model's default version.", Rest(nameof(InferRestTests.Tensors_come_back_as_they_were_asked_for))),
        ]),
        new("1.5", "Binary tensors",
        [
            Row.Same("JSON, then the tensors in the order of the inputs; both forms may be mixed", Rest(nameof(InferRestTests.Tensors_come_back_as_they_were_asked_for))),
            Row.Same("`Inference-Header-Content-Length` below 0 or beyond the body, too few or too many bytes: 400", Evidence.In<RestBodyTests>(nameof(RestBodyTests.The_header_says_how_long_the_JSON_is))),
            Row.Same("0 with a body: the body is the only input, a batch of one", Rest(nameof(InferRestTests.A_body_without_JSON_is_the_tensor_of_the_only_input))),
            Row.Same("`binary_data` of an output, `binary_data_output` for all", Rest(nameof(InferRestTests.Only_the_outputs_that_are_asked_for_come_each_in_its_form))),
        ]),
        new("1.6", "Compression",
        [
            Row.Same("gzip and deflate in requests; the length of the JSON counts unpacked", Rest(nameof(InferRestTests.Bodies_are_compressed_both_ways))),
            Row.Same("Anything else: 501, and `Accept-Encoding` says what is taken", Rest(nameof(InferRestTests.What_cannot_be_unpacked_is_refused))),
            Row.Same("Unpacked bodies have the limit of others", Rest(nameof(InferRestTests.What_cannot_be_unpacked_is_refused)), "413; Triton's is 400."),
            Row.Same("Answers by `Accept-Encoding` with weights", Evidence.In<ContentCodingsTests>(nameof(ContentCodingsTests.An_answer_takes_what_its_client_likes_best))),
        ]),
        new("1.7", "Parameters and scheduling",
        [
            Row.Same("Unknown parameters go to the model's code", Reader(nameof(RequestJsonReaderTests.A_request_is_read_whole))),
            Row.Same("`priority`: 1 is first; 0 and levels that there are not mean the default", Rest(nameof(InferRestTests.Priority_and_timeout_are_the_schedulers))),
            Row.Same("`timeout` in microseconds; too late: 503", Rest(nameof(InferRestTests.Priority_and_timeout_are_the_schedulers))),
            Row.Later("Sequences: requests of one `sequence_id` reach the same instance", "The parameters come to the handler."),
            Row.Not("Headers are forwarded as parameters by a pattern", "A handler's parameters are those of the request."),
        ]),
        new("1.8", "Classification",
        [
            Row.Same("`classification: N`: BYTES `value:index:label`, by value, of each row", Rest(nameof(InferRestTests.Classes_replace_a_tensor))),
            Row.Same("Six decimals for real numbers; labels of the model's file", Rest(nameof(InferRestTests.A_picture_model_without_its_handler_takes_pixels_and_its_classes_have_labels))),
            Row.Same("FP16, BF16, BOOL and BYTES: 400; at most 1,000,000", Reader(nameof(RequestJsonReaderTests.What_is_no_request_is_refused))),
        ]),
        new("1.15", "gRPC",
        [
            Row.Same("`raw_input_contents` or `contents`, never both; answers always raw", Grpc(nameof(InferGrpcTests.Raw_and_typed_contents_get_raw_answers))),
            Row.Same("Requested outputs, parameters, classification, id", Grpc(nameof(InferGrpcTests.Outputs_and_classes_are_those_that_are_asked_for))),
            Row.Same("The codes of section 1.1", Grpc(nameof(InferGrpcTests.What_is_wrong_has_its_code_and_its_text))),
            Row.Same("ModelInfer of a decoupled model: UNIMPLEMENTED; over REST 501", Grpc(nameof(InferGrpcTests.What_is_wrong_has_its_code_and_its_text))),
            Row.Same("ModelStreamInfer keeps the requests' order; a failure is an `error_message` with the id, and the stream goes on", Grpc(nameof(InferGrpcTests.A_stream_answers_in_order_and_goes_on_after_a_failure))),
            Row.Same("`triton_grpc_error: true` ends the stream with a status", Grpc(nameof(InferGrpcTests.A_client_that_wants_statuses_gets_the_first_error_as_one))),
            Row.Same("Decoupled models answer any number of times; `triton_final_response`, `triton_enable_empty_final_response`", Grpc(nameof(InferGrpcTests.A_decoupled_model_answers_any_number_of_times_and_says_when_it_is_done))),
            Row.Same("A client that leaves cancels", Grpc(nameof(InferGrpcTests.A_stream_carries_requests_of_several_models_and_none_waits_for_a_decoupled_one))),
            Row.Differs("Messages have up to 2 GiB", "Up to `maxRequestSize`, also unpacked: RESOURCE_EXHAUSTED.", Grpc(nameof(InferGrpcTests.A_large_tensor_goes_through))),
            Row.Same("Whatever is malformed is INVALID_ARGUMENT", Evidence.In<MalformedRequestTests>(nameof(MalformedRequestTests.Over_gRPC_each_is_the_clients_fault))),
        ]),
    ];

    private static Evidence Rest(string test) => Evidence.In<InferRestTests>(test);

    private static Evidence Grpc(string test) => Evidence.In<InferGrpcTests>(test);

    private static Evidence RoundTrip(string test) => Evidence.In<RoundTripTests>(test);

    private static Evidence Reader(string test) => Evidence.In<RequestJsonReaderTests>(test);
}
