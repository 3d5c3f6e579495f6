using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Sections 2.7 to 2.10: model control, tokens, workflows, gRPC.</summary>
internal static class ManagementRowsOfOthers
{
    public static IEnumerable<Section> All =>
    [
        new("2.7", "Model control",
        [
            Row.Differs("POST and DELETE are off by default", "On while the management listener is on loopback or has tokens; `enableModelApi: false` switches them off.", s => s.IsAsync("M:POST /models", 400)),
            Row.Same("Off: 405 MethodNotAllowedException over REST, `PERMISSION_DENIED` over gRPC", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Registering_and_unregistering_can_be_switched_off))),
            Row.Same("Switched on by `enable_model_api=true`, a flag or a variable", s => s.IsAsync("M:POST /models?url=none.mar", 404), "`enableModelApi`, `--enable-model-api true`, `SERVE_ENABLE_MODEL_API`."),
            Row.Same("Scaling, describing, listing and setting the default always work", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Registering_and_unregistering_can_be_switched_off))),
        ]),
        new("2.8", "Tokens",
        [
            Row.Same("`GET /token?type=management|inference` with the API key makes a new token and rewrites the key file; 200 with an empty JSON body", Evidence.In<KeyFileTests>(nameof(KeyFileTests.Tokens_are_made_renewed_and_removed)), "Where there is a `keyFile`."),
            Row.Differs("A wrong key, a missing or other type: 400 InvalidKeyException", "A wrong key is a 401, another type a 400.", Evidence.In<KeyFileTests>(nameof(KeyFileTests.Tokens_are_made_renewed_and_removed))),
        ]),
        new("2.9", "Workflows",
        [
            Row.Later("`POST /workflows`: always 400 \"Registering new workflows is disabled.\"", s => s.IsAsync("M:POST /workflows", 404)),
            Row.Later("`GET /workflows`, `GET` and `DELETE /workflows/{w}`: of an empty set", s => s.IsAsync("M:GET /workflows/w", 404)),
            Row.Later("Archives `.war` with a specification of the workflow"),
        ]),
        new("2.10", "gRPC `ManagementAPIsService`",
        [
            Row.Same("DescribeModel, ListModels, RegisterModel, ScaleWorker, SetDefault, UnregisterModel", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.A_model_is_registered_scaled_described_made_the_default_and_removed))),
            Row.Same("`msg` is the JSON or the sentence of REST", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.A_model_is_registered_scaled_described_made_the_default_and_removed))),
            Row.Same("A missing or empty url, a wrong runtime, wrong workers, a failed download: `INVALID_ARGUMENT`; an unknown model or version: `NOT_FOUND`", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.What_cannot_be_managed_has_its_code))),
            Row.Differs("A negative number of workers: `INTERNAL`", "`INVALID_ARGUMENT`.", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.What_cannot_be_managed_has_its_code))),
        ]),
    ];
}
