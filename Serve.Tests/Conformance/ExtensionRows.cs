using Serve.Tests.Compatibility;
using Serve.Tests.Core.Caching;
using Serve.Tests.EndToEnd.OpenInference;

namespace Serve.Tests.Conformance;

/// <summary>Generate, shared memory, the response cache, and what guards the control plane.</summary>
internal static class ExtensionRows
{
    public static IEnumerable<Section> All =>
    [
        new("1.12", "Generate",
        [
            Row.Same("`generate`: flat JSON, keys of inputs are tensors, others parameters; one response, single elements unwrapped", Generate(nameof(GenerateTests.A_model_that_answers_once_answers_with_values_by_name))),
            Row.Same("`generate_stream`: an event for each response", Generate(nameof(GenerateTests.A_model_with_many_responses_streams_them_and_its_parameters_arrive))),
            Row.Same("Events come when they are made; a client that leaves ends the request", Generate(nameof(GenerateTests.The_first_event_comes_while_the_rest_is_made_and_a_client_that_leaves_ends_it))),
            Row.Same("`generate` wants exactly one response", Generate(nameof(GenerateTests.Generate_wants_exactly_one_response))),
            Row.Same("What fails before the first response has a status", Generate(nameof(GenerateTests.What_goes_wrong_before_the_first_response_has_a_status))),
        ]),
        new("1.14", "Shared memory",
        [
            Row.Same("System: register, status, unregister; inputs read from regions and outputs written to them, over REST", Memory(nameof(SharedMemoryTests.Tensors_are_read_from_regions_and_written_to_them_over_REST))),
            Row.Same("… and over gRPC", Memory(nameof(SharedMemoryTests.Over_gRPC_as_well))),
            Row.Same("Places are checked against the region, the region against the object", Memory(nameof(SharedMemoryTests.Places_outside_of_their_region_and_an_object_that_was_cut_are_refused)), "An object that is cut while it is used fails the request and not the server: regions are read by file calls, not mapped."),
            Row.Same("Keys that cannot be, or are reserved, are refused", Memory(nameof(SharedMemoryTests.Regions_that_cannot_be_are_refused))),
            Row.Differs("CUDA: register, status, unregister", "Registering is 501; there are no regions, so unregistering has nothing to do.", Memory(nameof(SharedMemoryTests.Memory_of_GPUs_is_not_there_and_tidying_it_up_succeeds))),
        ]),
        new("2.0", "Configuration of a load, cache, guards",
        [
            Row.Same("`config` of a load: batching, queue policy, instances, parameters; what the server tells can be given back", Repository(nameof(RepositoryTests.A_configuration_comes_with_the_load_and_what_it_does_not_have_comes_from_the_model))),
            Row.Differs("Fields of ModelConfig that there are not", "Refused by their name, not ignored.", Repository(nameof(RepositoryTests.What_a_configuration_cannot_have_is_refused_by_its_name))),
            Row.Same("`response_cache.enable`: answers are kept, hits and misses counted, hits are no executions", Repository(nameof(RepositoryTests.Answers_are_kept_if_the_configuration_says_so_for_every_protocol_and_until_the_model_is_loaded_again))),
            Row.Differs("Only answers that are there come from the cache", "Requests with the same input that are under way at the same time run once as well.", Evidence.In<ResponseCacheTests>(nameof(ResponseCacheTests.Requests_under_way_at_the_same_time_run_once))),
            Row.Differs("Model control explicit or none", "By default explicit on loopback; where there are tokens for management, it asks for one.", Repository(nameof(RepositoryTests.Loading_asks_for_a_token_of_management_where_there_are_some_and_can_be_switched_off))),
            Row.Same("What was loaded is there after a restart, with its configuration", Repository(nameof(RepositoryTests.A_restart_finds_what_was_loaded_and_how_and_what_was_unloaded)), "Of Serve: Triton reads its repository anew."),
        ]),
    ];

    private static Evidence Generate(string test) => Evidence.In<GenerateTests>(test);

    private static Evidence Memory(string test) => Evidence.In<SharedMemoryTests>(test);

    private static Evidence Repository(string test) => Evidence.In<RepositoryTests>(test);
}
