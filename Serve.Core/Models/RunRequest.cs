using Serve.Core.Protocol;

namespace Serve.Core.Models;

/// <summary>Runs a request, whose payload it takes over.</summary>
internal delegate ValueTask<InferenceResponse> RunRequest(RequestPayload payload, int lane, TimeSpan timeout, bool isClients, CancellationToken clientGone, int rows);
