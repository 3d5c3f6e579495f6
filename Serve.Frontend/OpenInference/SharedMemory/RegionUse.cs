using Serve.Core.Errors;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Frontend.OpenInference.SharedMemory;

/// <summary>The regions that a request uses, held open until it is answered.</summary>
internal sealed class RegionUse(SharedMemoryRegions regions) : IDisposable
{
    private readonly Dictionary<string, SharedMemoryRegion> _held = new(StringComparer.Ordinal);

    /// <summary>Holds one, once.</summary>
    public SharedMemoryRegion Hold(string name)
    {
        if (!_held.TryGetValue(name, out var region)) _held[name] = region = regions.Hold(name);
        return region;
    }

    /// <summary>Writes the tensors of an answer that are wanted in shared memory to their places there.</summary>
    /// <exception cref="BadRequestException">One is larger than its place.</exception>
    public void Write(IReadOnlyList<AnswerTensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            if (tensor.Requested?.SharedMemory is not { } place) continue;
            if (tensor.Data.Length > place.Bytes) throw new BadRequestException($"shared memory size specified with the request for output '{tensor.Name}' ({place.Bytes} bytes) should be at least {tensor.Data.Length} bytes to hold the results");
            Hold(place.Region).Write(place.Offset, tensor.Data.Span);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var region in _held.Values) region.Release();
        _held.Clear();
    }
}
