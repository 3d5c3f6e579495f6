using Microsoft.AspNetCore.Http;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Frontend.OpenInference.Infer;
using Serve.Frontend.OpenInference.Infer.Grpc;

namespace Serve.Tests.Frontend.OpenInference;

/// <summary>What the scheduler is told of a request, and of how many a stream may have under way.</summary>
public sealed class TensorRequestTests
{
    [Fact]
    public void Headers_count_where_there_is_no_parameter()
    {
        var headers = new HeaderDictionary { ["x-serve-priority"] = "2", ["x-serve-timeout-ms"] = "250" };

        Assert.Equal(new InferenceOptions(2, TimeSpan.FromMilliseconds(250), 4), new TensorRequest().Options(3, 4, headers));
        Assert.Equal(new InferenceOptions(1, TimeSpan.FromMilliseconds(250), 4), new TensorRequest { Priority = 1 }.Options(3, 4, headers));
        Assert.Equal(new InferenceOptions(null, TimeSpan.FromMilliseconds(250), 4), new TensorRequest { Priority = 99 }.Options(3, 4, headers));
        Assert.Equal(new InferenceOptions(2, TimeSpan.FromMilliseconds(5), 4), new TensorRequest { TimeoutMicroseconds = 5000 }.Options(3, 4, headers));
        Assert.Equal(new InferenceOptions(null, null, 4), new TensorRequest().Options(3, 4, new HeaderDictionary()));
        Assert.Throws<BadRequestException>(() => new TensorRequest().Options(3, 4, new HeaderDictionary { ["x-serve-priority"] = "first" }));
    }

    [Theory]
    [InlineData(1, 1, 1, 2)]
    [InlineData(8, 1, 1, 16)]
    [InlineData(8, 0, 1, 16)] // none is ready yet
    [InlineData(8, 4, 1, 40)]
    [InlineData(8, 2, 3, 56)]
    [InlineData(4096, 64, 64, 256)]
    public void A_stream_keeps_every_ready_worker_busy_within_bounds(int batchSize, int workers, int instances, int most) =>
        Assert.Equal(most, InferService.MostUnderWay(new ModelConfiguration { BatchSize = batchSize, Instances = instances }, workers));
}
