using System.Diagnostics.CodeAnalysis;

namespace Serve.Core.Memory;

/// <summary>
/// Room for one body in <see cref="SharedBodies"/>. Counted: the request holds it, and each worker that was told of it, until
/// that worker has said that it reads it no longer, or is gone. A request that is lost before anybody answers it, as gRPC loses
/// one whose client leaves behind the message, gives its room back when it is collected.
/// </summary>
internal sealed class SharedBody(SharedBodies owner, int start, Memory<byte> memory)
{
    private int _holders = 1;

    ~SharedBody() => owner.Return(start, memory.Length);

    /// <summary>What it lies in.</summary>
    public SharedBodies Owner => owner;

    /// <summary>Where it begins there.</summary>
    public int Start => start;

    /// <summary>The room, which may be longer than the body.</summary>
    public Memory<byte> Memory => memory;

    /// <summary>One more holder, beside one that there is.</summary>
    public void Hold() => Interlocked.Increment(ref _holders);

    /// <summary>One holder less; after the last one others get the room.</summary>
    [SuppressMessage("Usage", "CA1816", Justification = "Its last holder disposes of it; there is no single owner that could.")]
    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) > 0) return;
        GC.SuppressFinalize(this);
        owner.Return(start, memory.Length);
    }
}
