using System.Net;
using System.Net.Sockets;
using Serve.Core.Configuration;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd;

/// <summary>Where SteppedHandler says what it does and is told what to do: one connection for each worker that loads.</summary>
internal sealed class Steps : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryFolder _folder = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<Worker> _workers = [];

    public Steps()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen(16);
    }

    private string Path => _folder["gate"];

    /// <summary>The configuration of a model whose handler is this one.</summary>
    public ModelConfiguration Configuration(int batchSize) => HandlerModel.Configuration("SteppedHandler", batchSize, ("gate", Path));

    /// <summary>The next worker that loads.</summary>
    public async Task<Worker> NextAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var worker = new Worker(await _listener.AcceptAsync(patience.Token));
        _workers.Add(worker);
        return worker;
    }

    /// <summary>Registers a model whose handler is this one.</summary>
    /// <param name="server">The server.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="settings">More lines of its <c>model-config.yaml</c>.</param>
    /// <returns>Its one worker.</returns>
    public async Task<Worker> ServeAsync(ServerFixture server, string model, string settings = "")
    {
        HandlerModels.Write(server.ModelStore, model, "SteppedHandler", $"{settings}\nhandlerOptions:\n  gate: {Path}");
        var registered = server.RegisterAsync(model);
        var worker = await NextAsync();
        var answer = await registered;
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        return worker;
    }

    public void Dispose()
    {
        foreach (var worker in _workers) worker.Dispose();
        _listener.Dispose();
        _folder.Dispose();
    }

    /// <summary>The handler in one worker.</summary>
    internal sealed class Worker(Socket socket) : IDisposable
    {
        private readonly StreamReader _says = new(new NetworkStream(socket, ownsSocket: true));
        private readonly StreamWriter _told = new(new NetworkStream(socket)) { AutoFlush = true };

        /// <summary>Waits for its next line, which must be this one.</summary>
        public async Task ExpectAsync(string line) => Assert.Equal(line, await SaysAsync());

        /// <summary>Waits for its next line.</summary>
        public async Task<string> SaysAsync()
        {
            using var patience = new CancellationTokenSource(Patience);
            return await _says.ReadLineAsync(patience.Token) ?? throw new InvalidOperationException("The worker is gone.");
        }

        /// <summary>Has it do something, and waits until it has.</summary>
        public async Task DoAsync(string step, string result = "")
        {
            Tell(step);
            await ExpectAsync(step + result);
        }

        /// <summary>Sends a part of a call's answer.</summary>
        public Task PartAsync(string call, string text) => DoAsync($"part {call} {text}", " True");

        /// <summary>Tells it something and does not wait.</summary>
        public void Tell(string step) => _told.WriteLine(step);

        public void Dispose()
        {
            _told.Dispose();
            _says.Dispose();
        }
    }
}
