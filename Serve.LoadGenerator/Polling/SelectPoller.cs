using System.Net.Sockets;

namespace Serve.LoadGenerator.Polling;

/// <summary>The same with what every system has. It looks at all sockets each time, so it costs more with each connection.</summary>
internal sealed class SelectPoller : ISocketPoller
{
    private readonly Dictionary<Socket, (int Tag, bool ForWriting)> _watched = [];
    private readonly List<Socket> _readable = [];
    private readonly List<Socket> _writable = [];
    private readonly List<Socket> _broken = [];
    private readonly List<int> _tags = [];

    public void Watch(Socket socket, bool forWriting, int tag) => _watched[socket] = (tag, forWriting);

    public void Change(Socket socket, bool forWriting, int tag) => _watched[socket] = (tag, forWriting);

    public void Forget(Socket socket) => _watched.Remove(socket);

    public int Wait(TimeSpan most)
    {
        _tags.Clear();
        if (_watched.Count == 0)
        {
            // Nothing to select from: only the next arrival is waited for.
            if (most > TimeSpan.Zero) Thread.Sleep(most);
            return 0;
        }

        Fill(_readable, _ => true);
        Fill(_writable, socket => _watched[socket].ForWriting);

        // Windows tells a refused connection here only.
        Fill(_broken, socket => _watched[socket].ForWriting);
        Socket.Select(_readable, _writable, _broken, most);
        foreach (var socket in _readable.Union(_writable).Union(_broken)) _tags.Add(_watched[socket].Tag);
        return _tags.Count;
    }

    public int Tag(int index) => _tags[index];

    public void Dispose() => _watched.Clear();

    private void Fill(List<Socket> list, Func<Socket, bool> isOfInterest)
    {
        list.Clear();
        list.AddRange(_watched.Keys.Where(isOfInterest));
    }
}
