using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Serve.Frontend.Hosting;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Frontend.Hosting;

public sealed class EagerReceivingTests
{
    private static readonly byte[] Request = Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: here\r\n\r\n");

    [Fact]
    public async Task Only_the_first_connections_hold_a_buffer_while_they_are_silent()
    {
        using var blocks = new CountedBlocks();
        await using var app = await StartAsync(blocks);
        var address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

        var clients = new List<Socket>();
        for (var i = 0; i < EagerReceiving.MostEager + 50; i++) clients.Add(await AskAsync(address));
        await blocks.BecomeAsync(rented => rented == EagerReceiving.MostEager);

        // All of them are served, whichever way they wait.
        foreach (var client in clients) await AskAsync(client);
        await blocks.BecomeAsync(rented => rented == EagerReceiving.MostEager);

        // Places that became free go to the next. The one that waits to be accepted was given its way before.
        foreach (var client in clients) client.Dispose();
        await blocks.BecomeAsync(rented => rented == 0);
        using var waitedFor = await AskAsync(address);
        using var next = await AskAsync(address);
        await blocks.BecomeAsync(rented => rented == 1);
    }

    private static async Task<WebApplication> StartAsync(CountedBlocks blocks)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddLogging();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.WebHost.UseSockets();
        builder.Services.RemoveAll<IConnectionListenerFactory>();
        builder.Services.AddSingleton<IConnectionListenerFactory, EagerReceiving>();
        builder.Services.Replace(ServiceDescriptor.Singleton<IMemoryPoolFactory<byte>>(blocks));
        var app = builder.Build();
        app.Run(_ => Task.CompletedTask);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }

    private static async Task<Socket> AskAsync(Uri address)
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, address.Port, TestContext.Current.CancellationToken);
        await AskAsync(client);
        return client;
    }

    private static async Task AskAsync(Socket client)
    {
        await client.SendAsync(Request, TestContext.Current.CancellationToken);
        var answer = new byte[4096];
        var length = 0;
        while (!answer.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
        {
            var received = await client.ReceiveAsync(answer.AsMemory(length), TestContext.Current.CancellationToken);
            Assert.NotEqual(0, received);
            length += received;
        }

        Assert.StartsWith("HTTP/1.1 200", Encoding.ASCII.GetString(answer, 0, length));
    }

    /// <summary>Blocks of which it is known how many are out.</summary>
    private sealed class CountedBlocks : MemoryPool<byte>, IMemoryPoolFactory<byte>
    {
        private int _rented;

        public Task<int> BecomeAsync(Func<int, bool> isRight) => Eventually.BecomesAsync("blocks are out", () => Task.FromResult(Volatile.Read(ref _rented)), isRight);

        public override int MaxBufferSize => 4096;

        public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            Interlocked.Increment(ref _rented);
            return new Block(this);
        }

        protected override void Dispose(bool disposing)
        {
        }

        private sealed class Block(CountedBlocks blocks) : IMemoryOwner<byte>
        {
            private bool _isReturned;

            public Memory<byte> Memory { get; } = new byte[4096];

            public void Dispose()
            {
                if (!Interlocked.Exchange(ref _isReturned, true)) Interlocked.Decrement(ref blocks._rented);
            }
        }
    }
}
