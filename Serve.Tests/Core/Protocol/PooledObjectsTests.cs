using System.Buffers;
using System.Text;
using Serve.Core.Models;
using Serve.Core.Protocol;

namespace Serve.Tests.Core.Protocol;

/// <summary>What serves one request after another takes nothing along.</summary>
public sealed class PooledObjectsTests
{
    [Fact]
    public void A_payload_comes_back_empty()
    {
        for (var i = 0; i < 2000; i++)
        {
            var payload = RequestPayload.Rent(10);
            Assert.Equal((0, 0, 0, 0), (payload.Body.Length, payload.Head.Length, payload.Headers, payload.Parts));
            payload.AddHeader("x-long", new string('a', i));
            payload.Write(Encoding.ASCII.GetBytes(new string('b', i)).AsSpan());
            payload.AddPart("body", null, 0, i);
            payload.Release();
        }
    }

    [Fact]
    public void A_payload_lives_until_its_last_holder_releases_it()
    {
        var payload = RequestPayload.Rent(3);
        payload.Write((ReadOnlySpan<byte>)[1, 2, 3]);
        payload.AddReference();
        payload.Release();
        Assert.Equal([1, 2, 3], payload.Body.ToArray());
        payload.Release();
    }

    [Fact]
    public void A_response_comes_back_empty_and_is_nobody_elses()
    {
        var first = InferenceResponse.Rent(201, "text/plain", [new("x", "y")], default);
        first.Append([1, 2, 3]);
        first.Dispose();

        var rented = Enumerable.Range(0, 2000).Select(_ => InferenceResponse.Rent(200, null, [], default)).ToList();
        Assert.Equal(rented.Count, rented.Distinct(ReferenceEqualityComparer.Instance).Count());
        Assert.All(rented, response => Assert.True(response is { Status: 200, ContentType: null, Headers.Count: 0, Body.IsEmpty: true }));
        foreach (var response in rented) response.Dispose();
    }
}
