using System.Diagnostics;
using System.Net;
using Grpc.Core;
using Grpc.Net.Client;

namespace Serve.Benchmarks.Load;

/// <summary>Clients of one method of a gRPC server, each of which sends the same message again when it has its answer. Messages are bytes: nothing is read or written but frames.</summary>
internal sealed class GrpcClients : IDisposable
{
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(static (byte[] message) => message, static message => message);

    private readonly GrpcChannel[] _channels;
    private readonly Method<byte[], byte[]> _method;
    private readonly byte[] _message;

    /// <param name="server">Where to.</param>
    /// <param name="count">How many clients there are, each with a connection of its own, as over REST.</param>
    /// <param name="service">The service.</param>
    /// <param name="method">Its method, unary.</param>
    /// <param name="message">The request.</param>
    public GrpcClients(IPEndPoint server, int count, string service, string method, byte[] message)
    {
        _channels = [.. Enumerable.Range(0, count).Select(_ => GrpcChannel.ForAddress($"http://{server}", new GrpcChannelOptions { MaxSendMessageSize = null, MaxReceiveMessageSize = null }))];
        (_method, _message) = (new Method<byte[], byte[]>(MethodType.Unary, service, method, Bytes, Bytes), message);
    }

    /// <summary>Loads the server for that long, and waits until the last answers are there.</summary>
    /// <returns>All answers, and the seconds that they took.</returns>
    public (long Answers, double Seconds) Run(TimeSpan duration)
    {
        var started = Stopwatch.GetTimestamp();
        var answers = _channels.Select(channel => Task.Run(async () =>
        {
            var invoker = channel.CreateCallInvoker();
            var answered = 0L;
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                await invoker.AsyncUnaryCall(_method, null, default, _message);
                answered++;
            }

            return answered;
        })).ToArray();
        var sum = Task.WhenAll(answers).GetAwaiter().GetResult().Sum();
        return (sum, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    public void Dispose()
    {
        foreach (var channel in _channels) channel.Dispose();
    }
}
