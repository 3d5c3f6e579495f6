using Serve.Tests.Compatibility;
using Serve.Tests.EndToEnd.OpenInference;

namespace Serve.Tests.Conformance;

/// <summary>What runs no model: health, metadata, configuration, statistics, repository, settings.</summary>
internal static class ControlRows
{
    public static IEnumerable<Section> All =>
    [
        new("1.1", "Health and metadata",
        [
            Row.Same("`GET v2/health/live`, `v2/health/ready`, `v2/models/{m}[/versions/{v}]/ready`, and over gRPC", Health(nameof(HealthAndMetadataTests.Server_and_models_say_whether_they_take_requests)), "With KServe's bodies; Triton's are empty."),
            Row.Same("A model that is not ready: 400 `{\"error\":\"Model version not ready\"}`", Health(nameof(HealthAndMetadataTests.A_model_without_workers_is_not_ready))),
            Row.Same("`GET v2`, `v2/models/{m}[/versions/{v}]`: names, versions, platform, tensors", Health(nameof(HealthAndMetadataTests.Metadata_tell_of_the_server_and_of_the_models_tensors))),
            Row.Same("Errors are `{\"error\": message}`; an unknown path is 404, a wrong verb 405", Health(nameof(HealthAndMetadataTests.Errors_have_the_protocols_form))),
            Row.Same("An unknown model: 404, NOT_FOUND, `Request for unknown model: …`", Health(nameof(HealthAndMetadataTests.An_unknown_model_is_NOT_FOUND))),
            Row.Same("Every gRPC method answers clients of other languages", Evidence.In<InferJsTests>(nameof(InferJsTests.Every_method_answers_a_client_in_JavaScript))),
        ]),
        new("1.9", "Repository, configuration, statistics, settings",
        [
            Row.Same("Index, load and unload, on what the management API has too", Repository(nameof(RepositoryTests.A_model_of_the_store_is_loaded_and_unloaded_and_both_views_agree))),
            Row.Same("… and over gRPC", Repository(nameof(RepositoryTests.Over_gRPC_the_same_is_done))),
            Row.Same("Loading a loaded model loads it again if it has changed; requests go on", Repository(nameof(RepositoryTests.Requests_are_answered_while_their_model_is_loaded_again))),
            Row.Same("A load may bring a configuration and files", Repository(nameof(RepositoryTests.A_models_files_may_come_with_the_load_over_REST_and_gRPC))),
            Row.Same("`version_policy` of a load: latest, all, specific; other versions are unloaded", Repository(nameof(RepositoryTests.A_version_policy_says_which_versions_are_served_and_the_others_are_unloaded)), "Without a policy the highest version is served and becomes the default, and others stay: Triton then serves the highest alone."),
            Row.Same("A load that fails leaves what was served", Repository(nameof(RepositoryTests.A_load_that_fails_leaves_what_was_served))),
            Row.Same("`config` and ModelConfig", Report(nameof(ReportTests.A_models_configuration_is_Serves_in_the_protocols_words))),
            Row.Same("`stats` and ModelStatistics", Report(nameof(ReportTests.Statistics_count_what_was_executed_and_what_failed))),
            Row.Same("`response_stats` of decoupled models: success, fail, empty_response, cancel by the response's place", Report(nameof(ReportTests.Responses_of_decoupled_models_are_counted_by_their_place)), "Of the first 1,024 responses; `compute_output` is until the client has taken it."),
            Row.Same("`v2/logging` and LogSettings", Report(nameof(ReportTests.The_logs_settings_are_the_level_of_the_server))),
            Row.Differs("`trace/setting` and TraceSetting switch tracing on", "Only where the configuration names a collector (`tracing.endpoint`), and for all models alike; else settings are kept and told.", Report(nameof(ReportTests.Settings_of_tracing_are_kept_for_the_server_and_for_models))),
        ]),
    ];

    private static Evidence Health(string test) => Evidence.In<HealthAndMetadataTests>(test);

    private static Evidence Repository(string test) => Evidence.In<RepositoryTests>(test);

    private static Evidence Report(string test) => Evidence.In<ReportTests>(test);
}
