using Microsoft.AspNetCore.Http;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Protocol;
using Serve.Frontend.Inference;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>An inference request of the Open Inference Protocol, whatever transport brought it: read, and not checked against a model yet.</summary>
internal sealed class TensorRequest
{
    /// <summary>The most inputs, and the most outputs.</summary>
    public const int MostTensors = 1000;

    /// <summary>The most parameters of a request, and the most members of an object that mean nothing here.</summary>
    public const int MostParameters = 256;

    /// <summary>The most characters of a name or an id.</summary>
    public const int LongestName = 1024;

    /// <summary>What the answer repeats; null or empty: nothing.</summary>
    public string? Id { get; set; }

    /// <summary>The inputs, in the request's order.</summary>
    public List<TensorInput> Inputs { get; } = [];

    /// <summary>The outputs that are wanted; none: all of them.</summary>
    public List<RequestedOutput> Outputs { get; } = [];

    /// <summary>Parameters for the model, as texts.</summary>
    public List<KeyValuePair<string, string>> Parameters { get; } = [];

    /// <summary>Whether outputs that do not say otherwise are answered binary; REST's alone.</summary>
    public bool IsBinaryByDefault { get; set; }

    /// <summary>1 is the first lane; more than there are means the model's default; 0: nothing is said.</summary>
    public ulong Priority { get; set; }

    /// <summary>When the answer is of no use any more; 0: nothing is said.</summary>
    public ulong TimeoutMicroseconds { get; set; }

    /// <summary>Whether the client of a stream wants to be told of the end of a decoupled answer by a response without tensors.</summary>
    public bool WantsFinalResponse { get; set; }

    /// <summary>What the request says about an output; null if it says nothing.</summary>
    public RequestedOutput? Find(ReadOnlySpan<char> output)
    {
        foreach (var requested in Outputs)
        {
            if (output.SequenceEqual(requested.Name)) return requested;
        }

        return null;
    }

    /// <summary>Whether an output is answered behind the JSON.</summary>
    /// <param name="output">What the request says about it; null: nothing.</param>
    public bool IsBinary(RequestedOutput? output) => output?.SharedMemory is null && (output?.IsBinary ?? IsBinaryByDefault);

    /// <summary>What of it the scheduler needs: its parameters, and where it has none, the headers that every inference request may have.</summary>
    /// <param name="priorityLevels">Of the model.</param>
    /// <param name="rows">Rows of a batch that it fills.</param>
    /// <param name="headers">The request's, or the call's metadata.</param>
    /// <exception cref="Core.Errors.BadRequestException">A header is no number.</exception>
    public InferenceOptions Options(int priorityLevels, int rows, IHeaderDictionary headers)
    {
        var (wanted, limit, _) = RequestOptions.Read(headers);

        // As Triton does: a level that the model does not have is its default.
        int? priority = Priority == 0 ? wanted : Priority <= (ulong)priorityLevels ? (int)Priority : null;
        TimeSpan? timeout = TimeoutMicroseconds == 0 ? limit : TimeSpan.FromMicroseconds(Math.Min(TimeoutMicroseconds, (ulong)TimeSpan.FromDays(1).TotalMicroseconds));
        return new InferenceOptions(priority, timeout, rows);
    }

    /// <summary>Adds to a payload that has all tensors' bytes what they are, and what else the worker is told.</summary>
    public void Complete(RequestPayload payload)
    {
        foreach (var (name, value) in Parameters) payload.AddHeader(name, value);
        foreach (var output in Outputs) payload.AddRequestedOutput(output.Name);
        payload.CarriesTensors = true;
        foreach (var input in Inputs) payload.AddTensor(input.Name, input.Element, input.Shape, input.Offset, input.Length);
    }
}

/// <summary>An input of a request.</summary>
internal sealed class TensorInput
{
    public string Name { get; set; } = "";

    public TensorElement Element { get; set; }

    /// <summary>The dimensions, that of the batch included; none is negative, and their product fits 63 bits.</summary>
    public long[] Shape { get; set; } = [];

    /// <summary>Where its bytes come from.</summary>
    public TensorSource Source { get; set; }

    /// <summary>Where its bytes begin in the payload.</summary>
    public int Offset { get; set; }

    /// <summary>How many they are; of one in shared memory, not known before it is found.</summary>
    public int Length { get; set; }

    /// <summary>Its place in shared memory.</summary>
    public SharedMemoryPlace? SharedMemory { get; set; }
}

/// <summary>Where an input's bytes come from.</summary>
internal enum TensorSource
{
    /// <summary>Nowhere: the request is wrong.</summary>
    None,

    /// <summary>They were parsed.</summary>
    Parsed,

    /// <summary>They are there as they are.</summary>
    Binary,

    /// <summary>They are in a region of shared memory.</summary>
    SharedMemory,
}

/// <summary>A place in shared memory.</summary>
/// <param name="Region">The region's name.</param>
/// <param name="Offset">Where the tensor begins.</param>
/// <param name="Bytes">How long it is, or may become.</param>
internal sealed record SharedMemoryPlace(string Region, long Offset, long Bytes);

/// <summary>What a request says about an output.</summary>
/// <param name="Name">Its name.</param>
internal sealed record RequestedOutput(string Name)
{
    /// <summary>Whether it is answered binary; null: as the request says for all. REST's alone.</summary>
    public bool? IsBinary { get; set; }

    /// <summary>How many classes are wanted instead of the tensor; 0: the tensor.</summary>
    public long Classes { get; set; }

    /// <summary>Where the client wants to find it; null: in the answer.</summary>
    public SharedMemoryPlace? SharedMemory { get; set; }
}
