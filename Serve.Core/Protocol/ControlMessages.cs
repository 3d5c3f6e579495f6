using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Core.Handlers.Metrics;

namespace Serve.Core.Protocol;

/// <summary>Hello: who is there.</summary>
/// <param name="Protocol">The protocol's version, <see cref="Current"/>.</param>
/// <param name="Token">The one-time token from <c>SERVE_WORKER_TOKEN</c>.</param>
/// <param name="Pid">The worker's process id.</param>
/// <param name="Worker">Its program and version, for the log.</param>
public sealed record HelloMessage(int Protocol, string Token, int Pid, string Worker)
{
    /// <summary>The protocol's version that this code speaks.</summary>
    public const int Current = 1;
}

/// <summary>Load: what to serve.</summary>
/// <param name="ModelName">The model's name.</param>
/// <param name="ModelVersion">Its version.</param>
/// <param name="ModelFolder">The folder with its files, absolute.</param>
/// <param name="Configuration">Its configuration, complete.</param>
/// <param name="Device">Where to run it.</param>
/// <param name="HeartbeatMilliseconds">How often to send a Gauge.</param>
/// <param name="HostWorkers">How many workers share the machine.</param>
/// <param name="Cache">Where to keep what the next start can use; null: nowhere.</param>
/// <param name="Bodies">Memory in which bodies of requests may lie; null: all come through the socket.</param>
public sealed record LoadMessage(
    string ModelName, string ModelVersion, string ModelFolder, ModelConfiguration Configuration, DeviceMessage Device, int HeartbeatMilliseconds, int HostWorkers, CacheMessage? Cache = null,
    BodiesMessage? Bodies = null);

/// <summary>Memory that a worker may map, to read it.</summary>
/// <param name="Path">Where it is opened.</param>
/// <param name="Bytes">Its length.</param>
public sealed record BodiesMessage(string Path, int Bytes);

/// <summary>What workers may keep between starts.</summary>
/// <param name="Folder">A private folder, absolute; the worker makes it if it is not there.</param>
/// <param name="LimitBytes">The most bytes in it.</param>
public sealed record CacheMessage(string Folder, long LimitBytes)
{
    /// <summary>From the server's configuration.</summary>
    /// <param name="configuration">The server's settings.</param>
    public static CacheMessage From(ServerConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var parent = configuration.RuntimeFolder ?? Path.Combine(Path.GetTempPath(), $"serve-{Environment.UserName}");
        return new CacheMessage(Path.GetFullPath(configuration.CacheFolder ?? Path.Combine(parent, "cache")), configuration.CacheSize);
    }
}

/// <summary>A device.</summary>
/// <param name="Type">Its kind.</param>
/// <param name="Index">Its number among its kind.</param>
public sealed record DeviceMessage(DeviceType Type, int Index);

/// <summary>Ready: loaded and warm.</summary>
/// <param name="Credit">Rows that may be outstanding.</param>
/// <param name="Device">Where it runs, for example <c>cpu:0</c>.</param>
/// <param name="Handler">The handler's name.</param>
/// <param name="Signature">The model's inputs and outputs, or those that the handler declares; null: neither.</param>
/// <param name="LoadMilliseconds">From Load to Ready.</param>
/// <param name="Notes">Sentences for whoever describes the model.</param>
/// <param name="WarmUp">What batches took that were run before, in their order; null or empty: none were.</param>
/// <param name="IsDecoupled">Whether a request that carries tensors may have any number of answers.</param>
/// <param name="ReadsBodies">Whether it reads bodies in the memory that Load named; it then says when it reads one no longer.</param>
public sealed record ReadyMessage(
    int Credit, string Device, string Handler, ModelSignature? Signature = null, long LoadMilliseconds = 0, IReadOnlyList<string>? Notes = null, IReadOnlyList<WarmUpTime>? WarmUp = null,
    bool IsDecoupled = false, bool ReadsBodies = false);

/// <summary>A batch that was run before Ready.</summary>
/// <param name="Rows">Its rows.</param>
/// <param name="Microseconds">How long it executed.</param>
public sealed record WarmUpTime(int Rows, long Microseconds);

/// <summary>LoadFailed: why not.</summary>
/// <param name="Type">The error's TorchServe name.</param>
/// <param name="Message">For people.</param>
/// <param name="Permanent">Whether another try is no use.</param>
/// <param name="LacksMemory">Whether it is the memory of the device or the host that does not suffice.</param>
public sealed record LoadFailedMessage(string Type, string Message, bool Permanent = true, bool LacksMemory = false);

/// <summary>Gauge: heartbeat and figures; counters count from the worker's start.</summary>
/// <param name="ResidentBytes">Resident memory.</param>
/// <param name="DeviceBytes">Device memory, 0 where not known.</param>
/// <param name="BusyMicroseconds">Time in which at least one batch executed.</param>
/// <param name="Batches">Batches executed.</param>
/// <param name="Rows">Rows executed.</param>
/// <param name="DecodeQueue">Requests that wait for decoding.</param>
/// <param name="Ready">Rows that wait for the device.</param>
/// <param name="AllocatedBytes">Bytes that it has allocated on the garbage-collected heap, or 0.</param>
/// <param name="Stages">What its stages did; null until the model is loaded.</param>
/// <param name="Metrics">The handler's own metrics, all of them; null: as they were.</param>
public sealed record GaugeMessage(
    long ResidentBytes = 0, long DeviceBytes = 0, long BusyMicroseconds = 0, long Batches = 0, long Rows = 0, int DecodeQueue = 0, int Ready = 0, long AllocatedBytes = 0, StageMessage? Stages = null,
    IReadOnlyList<MetricMessage>? Metrics = null);

/// <summary>What a worker's stages did since it was ready.</summary>
/// <param name="UpMicroseconds">The time since then.</param>
/// <param name="StarvedMicroseconds">Nothing executed although requests were there: all were being decoded, or waited to be.</param>
/// <param name="IdleMicroseconds">Nothing executed because there was no request.</param>
/// <param name="DecodeMicroseconds">Time that decode threads spent decoding, of all of them together.</param>
/// <param name="EncodeMicroseconds">Time spent on postprocessing and writing answers.</param>
/// <param name="DecodeThreads">Threads that decode.</param>
/// <param name="CopiedRows">Rows that had to be copied beside the others of their batch.</param>
/// <param name="PaddedRows">Rows that nobody asked for, executed to fill batches up to a size that can be executed.</param>
public sealed record StageMessage(
    long UpMicroseconds = 0, long StarvedMicroseconds = 0, long IdleMicroseconds = 0, long DecodeMicroseconds = 0, long EncodeMicroseconds = 0, int DecodeThreads = 0, long CopiedRows = 0, long PaddedRows = 0);

/// <summary>The body of an Output that is an error of the server's.</summary>
/// <param name="Type">The error's TorchServe name.</param>
/// <param name="Message">For people.</param>
/// <param name="Detail">For the log, where the server or a handler is at fault: what happened, with its stack; null: there is nothing to log.</param>
public sealed record ErrorMessage(string Type, string Message, string? Detail = null);

/// <summary>JSON of the control messages, generated at build time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(HelloMessage))]
[JsonSerializable(typeof(LoadMessage))]
[JsonSerializable(typeof(ReadyMessage))]
[JsonSerializable(typeof(LoadFailedMessage))]
[JsonSerializable(typeof(GaugeMessage))]
[JsonSerializable(typeof(ErrorMessage))]
[JsonSerializable(typeof(DoctorReport))]
public sealed partial class ProtocolJson : JsonSerializerContext
{
    /// <summary>Reads a control message.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="body">The frame's body.</param>
    /// <param name="type">Its generated description.</param>
    /// <exception cref="ProtocolException">It is no such JSON.</exception>
    public static T Read<T>(ReadOnlySpan<byte> body, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new ProtocolException($"A {typeof(T).Name} that is null.");
        }
        catch (JsonException e)
        {
            throw new ProtocolException($"A {typeof(T).Name} that is not the expected JSON: {e.Message}");
        }
    }

    /// <summary>Puts a control message into a sender's buffer.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="sender">The sender.</param>
    /// <param name="frame">The frame's type.</param>
    /// <param name="message">The message.</param>
    /// <param name="type">Its generated description.</param>
    public static void Enqueue<T>(FrameSender sender, FrameType frame, T message, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        sender.Enqueue(frame, 0, 0, JsonSerializer.SerializeToUtf8Bytes(message, type));
}
