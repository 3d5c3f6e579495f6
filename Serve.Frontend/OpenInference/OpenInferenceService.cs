using Serve.Frontend.OpenInference.Control;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference;

/// <summary>
/// The Open Inference Protocol over gRPC. One file for what runs models, one for everything else; a method that neither has
/// answers UNIMPLEMENTED, which the generated base does.
/// </summary>
/// <param name="control">Health, metadata, repository, statistics, settings: what REST answers as well.</param>
internal sealed partial class OpenInferenceService(ControlPlane control) : GRPCInferenceService.GRPCInferenceServiceBase;
