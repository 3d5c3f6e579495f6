using System.Text;
using CsCheck;
using Serve.Core.Protocol;

namespace Serve.Tests.Core.Protocol;

public sealed class TextCacheTests
{
    [Fact]
    public void Every_text_is_its_own_whatever_was_asked_for_before()
    {
        var cache = new TextCache();
        Gen.String[0, 200].Sample(text =>
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            lock (cache) return cache.Get(bytes) == Encoding.UTF8.GetString(bytes);
        });
    }

    [Fact]
    public void A_text_that_comes_again_is_the_same_string()
    {
        var cache = new TextCache();

        Assert.Same(cache.Get("image/png"u8), cache.Get("image/png"u8));
    }
}
