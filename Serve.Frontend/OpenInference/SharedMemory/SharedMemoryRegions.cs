using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Frontend.OpenInference.SharedMemory;

/// <summary>The regions of shared memory that clients on this machine have registered, by name.</summary>
/// <param name="isEnabled">Whether they may (<c>openInference.sharedMemory</c>).</param>
internal sealed class SharedMemoryRegions(bool isEnabled)
{
    private const int MostRegions = 1000;
    private const int LongestName = 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, SharedMemoryRegion> _regions = new(StringComparer.Ordinal);

    /// <summary>Whether clients may register regions here.</summary>
    public bool IsEnabled => isEnabled && PosixSharedMemory.IsSupported;

    /// <summary>The regions, or the one of that name.</summary>
    /// <exception cref="ServeException">404: there is none of that name.</exception>
    public IReadOnlyList<SharedMemoryRegion> Status(string? name)
    {
        lock (_gate)
        {
            if (string.IsNullOrEmpty(name)) return [.. _regions.Values.OrderBy(region => region.Name, StringComparer.Ordinal)];
            return _regions.TryGetValue(name, out var region) ? [region] : throw NotFound(name);
        }
    }

    /// <summary>Registers a region.</summary>
    /// <exception cref="ServeException">400: no such object, or it is too short; 409: the name is taken (400 over REST); 501: it is switched off.</exception>
    public void Register(string name, string key, long offset, long bytes)
    {
        RequireEnabled();
        if (name.Length is 0 or > LongestName) throw new BadRequestException($"The name of a shared memory region must have 1 to {LongestName} characters.");
        if (offset < 0 || bytes <= 0 || offset > long.MaxValue - bytes) throw new BadRequestException($"failed to register shared memory region '{name}': offset {offset} and byte_size {bytes} are no place in memory");
        var handle = PosixSharedMemory.Open(key);
        try
        {
            var length = RandomAccess.GetLength(handle);
            if (offset + bytes > length) throw new BadRequestException($"failed to register shared memory region '{name}': invalid args: it would end at {offset + bytes}, and '{key}' has {length} bytes");
            lock (_gate)
            {
                if (_regions.ContainsKey(name)) throw new ConflictStatusException($"shared memory region '{name}' already in manager");
                if (_regions.Count >= MostRegions) throw new BadRequestException($"there are {MostRegions} shared memory regions already; unregister one");
                _regions[name] = new SharedMemoryRegion(name, key, offset, bytes, handle);
            }
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Unregisters a region, or all. Requests that use one go on with it; one that there is not is as good as gone.</summary>
    /// <exception cref="ServeException">501: it is switched off.</exception>
    public void Unregister(string? name)
    {
        RequireEnabled();
        List<SharedMemoryRegion> gone = [];
        lock (_gate)
        {
            if (string.IsNullOrEmpty(name))
            {
                gone.AddRange(_regions.Values);
                _regions.Clear();
            }
            else if (_regions.Remove(name, out var region))
            {
                gone.Add(region);
            }
        }

        foreach (var region in gone) region.Release();
    }

    /// <exception cref="ServeException">501: shared memory is switched off.</exception>
    public void RequireEnabled()
    {
        if (!IsEnabled) throw new NotAvailableException(isEnabled ? "Shared memory is not available on this system." : "Client shared memory is disabled. To enable, set openInference.sharedMemory to true.");
    }

    /// <summary>
    /// Holds the regions that a request names, checks its places there, and copies its inputs into its payload. Costs a look
    /// at each tensor where none is in shared memory.
    /// </summary>
    /// <returns>What releases the regions; null: it names none.</returns>
    /// <exception cref="ServeException">400, 404, 413, 501.</exception>
    public RegionUse? Use(TensorRequest request, RequestPayload payload, long mostBytes)
    {
        RegionUse? use = null;
        try
        {
            foreach (var input in request.Inputs)
            {
                if (input.SharedMemory is not { } place) continue;
                use ??= new RegionUse(this);
                var region = use.Hold(place.Region);
                region.Check($"input '{input.Name}'", place.Offset, place.Bytes);
                if (payload.Body.Length + place.Bytes > mostBytes) throw new PayloadTooLargeException(mostBytes);
                (input.Offset, input.Length) = (payload.Body.Length, (int)place.Bytes);
                region.Read(place.Offset, payload.GetSpan(Math.Max(1, input.Length))[..input.Length]);
                payload.Advance(input.Length);
            }

            foreach (var output in request.Outputs)
            {
                if (output.SharedMemory is not { } place) continue;
                use ??= new RegionUse(this);
                use.Hold(place.Region).Check($"output '{output.Name}'", place.Offset, place.Bytes);
            }

            return use;
        }
        catch
        {
            use?.Dispose();
            throw;
        }
    }

    /// <summary>Holds a region open.</summary>
    /// <exception cref="ServeException">404, 501.</exception>
    internal SharedMemoryRegion Hold(string name)
    {
        RequireEnabled();
        lock (_gate)
        {
            if (_regions.TryGetValue(name, out var region) && region.TryHold()) return region;
        }

        throw NotFound(name);
    }

    private static ServeException NotFound(string name) => new(StatusCodes.Status404NotFound, "ResourceNotFoundException", $"Unable to find shared memory region: '{ShownText.Of(name)}'");
}
