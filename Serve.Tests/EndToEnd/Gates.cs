using System.Net.Sockets;

namespace Serve.Tests.EndToEnd;

/// <summary>Where GatedHandler and SlowToLoadHandler report and wait: one connection for each worker that loads.</summary>
internal sealed class Gates : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<Gate> _gates = [];

    public Gates()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen(16);
    }

    /// <summary>The line of <c>model-config.yaml</c> that sends a handler here.</summary>
    public string Setting => $"handlerOptions:\n  gate: {Path}";

    private string Path => _folder["gate"];

    /// <summary>The gate of the next worker that loads.</summary>
    public async Task<Gate> NextAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var gate = new Gate(await _listener.AcceptAsync(patience.Token));
        _gates.Add(gate);
        return gate;
    }

    public void Dispose()
    {
        foreach (var gate in _gates) gate.Dispose();
        _listener.Dispose();
        _folder.Dispose();
    }

    /// <summary>One worker's gate.</summary>
    internal sealed class Gate(Socket worker) : IDisposable
    {
        private readonly byte[] _byte = new byte[1];

        /// <summary>Waits until a batch begins, or nobody waits any more for the one that executes.</summary>
        /// <returns>How many requests the batch has; 0: it was cancelled.</returns>
        public async Task<int> BatchAsync()
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            if (await worker.ReceiveAsync(_byte, patience.Token) == 0) throw new InvalidOperationException("The worker is gone.");
            return _byte[0];
        }

        /// <summary>Lets one batch, or the load, go on.</summary>
        public void Open() => worker.Send(_byte);

        /// <summary>Lets every batch go on, until the worker leaves.</summary>
        /// <returns>The sizes of the batches.</returns>
        public async Task<List<int>> StayOpenAsync()
        {
            List<int> batches = [];
            try
            {
                while (await worker.ReceiveAsync(_byte) > 0)
                {
                    if (_byte[0] == 0) continue;
                    batches.Add(_byte[0]);
                    Open();
                }
            }
            catch (SocketException)
            {
                // The worker left with a byte unread.
            }

            return batches;
        }

        public void Dispose() => worker.Dispose();
    }
}
