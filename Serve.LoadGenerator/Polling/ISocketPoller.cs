using System.Net.Sockets;

namespace Serve.LoadGenerator.Polling;

/// <summary>Tells which of many non-blocking sockets can be read or written now, so that one thread drives all of them.</summary>
internal interface ISocketPoller : IDisposable
{
    /// <summary>Watches a socket; its events name it by the tag. A socket that is closed is watched no longer.</summary>
    void Watch(Socket socket, bool forWriting, int tag);

    /// <summary>Watches a watched socket for writing too, or no longer.</summary>
    void Change(Socket socket, bool forWriting, int tag);

    /// <summary>Ends watching it, before it is closed.</summary>
    void Forget(Socket socket);

    /// <summary>Waits for events.</summary>
    /// <returns>How many there are; 0 when the time has passed.</returns>
    int Wait(TimeSpan most);

    /// <summary>The tag of an event that <see cref="Wait"/> has found.</summary>
    int Tag(int index);
}
