using Serve.Core.Errors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>Parameters of inputs and of requested outputs. Those that mean nothing are ignored, as Triton does.</summary>
internal static class TensorParameters
{
    /// <summary>The most classes that may be asked for.</summary>
    public const long MostClasses = 1_000_000;

    /// <summary>The parameter of an input that says how long its part of the body is.</summary>
    public const string BinarySize = "binary_data_size";

    /// <summary>Whether a parameter of an input means something.</summary>
    public static bool IsOfInput(string name) => name == BinarySize || SharedMemoryFields.HasField(name);

    /// <summary>Whether a parameter of a requested output means something.</summary>
    public static bool IsOfOutput(string name) => name is "binary_data" or "classification" || SharedMemoryFields.HasField(name);

    /// <summary>Sets the size of an input's part of the body.</summary>
    public static void SetBinary(TensorInput input, ParameterValue value)
    {
        var size = value.Size(BinarySize);
        if (size > int.MaxValue) throw new BadRequestException($"parameter 'binary_data_size' is too large: {size}");
        (input.Source, input.Length) = (TensorSource.Binary, (int)size);
    }

    /// <summary>Sorts a parameter of an output into it.</summary>
    public static void Add(RequestedOutput output, string name, ParameterValue value)
    {
        switch (name)
        {
            case "binary_data":
                output.IsBinary = value.Boolean(name);
                break;
            case "classification":
                output.Classes = value.Size(name);
                if (output.Classes is 0 or > MostClasses) throw new BadRequestException($"parameter 'classification' must be from 1 to {MostClasses}, not {output.Classes}");
                break;
        }
    }

    /// <summary>Says that an input is in shared memory, if that was said.</summary>
    public static void Place(TensorInput input, in SharedMemoryFields fields)
    {
        if (fields.Place($"input '{input.Name}'") is not { } place) return;
        if (input.Source != TensorSource.None) throw new BadRequestException($"input '{input.Name}' must have exactly one of 'data', 'binary_data_size' and 'shared_memory_region'");
        (input.Source, input.SharedMemory) = (TensorSource.SharedMemory, place);
    }

    /// <summary>Says that an output goes into shared memory, if that was said.</summary>
    public static void Place(RequestedOutput output, in SharedMemoryFields fields)
    {
        if (fields.Place("a requested output") is not { } place) return;
        if (output.Classes > 0) throw new BadRequestException("shared memory can't be used for the result of a 'classification'");

        // Clients say false beside it: tritonclient always does.
        if (output.IsBinary is true) throw new BadRequestException("a requested output can't have both 'shared_memory_region' and 'binary_data'");
        output.SharedMemory = place;
    }
}

/// <summary>The three parameters that name a place in shared memory, as they come.</summary>
internal struct SharedMemoryFields
{
    private string? _region;
    private long? _offset;
    private long? _bytes;

    /// <summary>Whether a parameter is one of them.</summary>
    public static bool HasField(string name) => name is "shared_memory_region" or "shared_memory_offset" or "shared_memory_byte_size";

    /// <summary>Takes a parameter that is one of them.</summary>
    /// <returns>False: it is not.</returns>
    public bool TryAdd(string name, ParameterValue value)
    {
        switch (name)
        {
            case "shared_memory_region":
                _region = value.Name(name);
                return true;
            case "shared_memory_offset":
                _offset = value.Size(name);
                return true;
            case "shared_memory_byte_size":
                _bytes = value.Size(name);
                return true;
            default:
                return false;
        }
    }

    /// <summary>The place; null: none was named.</summary>
    public readonly SharedMemoryPlace? Place(string owner)
    {
        if (_region is null)
        {
            return _offset is null && _bytes is null ? null : throw new BadRequestException($"{owner} has parameters of shared memory without 'shared_memory_region'");
        }

        return new SharedMemoryPlace(_region, _offset ?? 0, _bytes ?? throw new BadRequestException($"{owner} has a 'shared_memory_region' without 'shared_memory_byte_size'"));
    }
}
