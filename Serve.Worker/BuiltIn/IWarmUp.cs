using Serve.Core.Configuration;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>A stock handler, which can run without a request, so that its code is compiled and its buffers are there before the first one.</summary>
internal interface IWarmUp
{
    /// <summary>Decodes as requests will have it decoded. May run before Load and beside it.</summary>
    /// <param name="configuration">The model's configuration; it says how often.</param>
    void WarmUp(ModelConfiguration configuration);

    /// <summary>Writes a row as requests will have it, filled with zeros.</summary>
    void WriteZeros(InputRow inputs);
}
