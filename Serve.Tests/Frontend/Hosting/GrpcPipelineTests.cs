using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting;

public sealed class GrpcPipelineTests
{
    private const byte EndHeaders = 4;
    private const byte EndStream = 1;

    private static readonly byte[] Message = FrameStand.Message(new ModelInferRequest { ModelName = "m" }.ToByteArray());

    // The first call of a connection is Kestrel's to begin, on a thread of the pool; those behind it are begun by what reads its frames.
    [Theory]
    [InlineData("/inference.GRPCInferenceService/ModelInfer", true)]
    [InlineData("/inference.GRPCInferenceService/RepositoryModelLoad", false)]
    public async Task A_call_of_an_inline_connection_leaves_its_thread_unless_it_is_brief(string path, bool stays)
    {
        await using var stand = new FrameStand((_, length) => RequestPayload.Rent(length));
        await stand.SendAsync(FrameStand.Preface);
        using var listener = new Listener("grpc_inference", "grpcInferenceAddress", "http://127.0.0.1:0", HttpProtocols.Http2);
        var ranOn = 0;
        using var pipeline = new GrpcPipeline(
            listener,
            maxRequestBytes: 1 << 20,
            accessLog: false,
            inline: true,
            tracing: null,
            NullLoggerFactory.Instance,
            static _ => { },
            routes => routes.Map(path, _ =>
            {
                ranOn = Environment.CurrentManagedThreadId;
                return Task.CompletedTask;
            }));

        Assert.True(Answer(1));
        Assert.Equal(stays, Answer(3));

        // By blocking, so that no other call of this test can be given this thread.
        bool Answer(int stream)
        {
            stand.SendAsync((byte[])[.. FrameStand.Frame(FrameHead.Headers, EndHeaders, stream, 0xAA), .. FrameStand.Frame(FrameHead.Data, 0, stream, Message.AsSpan(0, 7))]).GetAwaiter().GetResult();
            stand.SendAsync(FrameStand.Frame(FrameHead.Data, EndStream, stream, Message.AsSpan(7))).GetAwaiter().GetResult();
            var context = stand.Begin(stream);
            (context.Request.Method, context.Request.Path) = ("POST", path);
            pipeline.AnswerAsync(context).Wait(TestContext.Current.CancellationToken);
            return ranOn == Environment.CurrentManagedThreadId;
        }
    }
}
