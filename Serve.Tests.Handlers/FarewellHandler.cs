using Microsoft.Extensions.Logging;
using Serve.Core.Handlers;

namespace Serve.Tests.Handlers;

/// <summary>Stands before a model, and logs when it is disposed of.</summary>
public sealed class FarewellHandler : IModelHandler
{
    private ILogger? _logger;

    public void Load(HandlerContext context) => _logger = context.Logger;

    public void Preprocess(HandlerRequest request, InputRow inputs) => throw new NotSupportedException();

    public void Postprocess(HandlerRequest request, OutputRow outputs, HandlerResponse response) => throw new NotSupportedException();

    public void Dispose() => _logger?.Log(LogLevel.Information, default, "Farewell.", null, static (state, _) => state);
}
