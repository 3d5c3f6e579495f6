using System.Text;
using System.Text.Json;
using Serve.Management.Http;

namespace Serve.Tests.Management;

public sealed class StrictJsonTests
{
    [Theory]
    [InlineData("""{"a":"\ud83d\ude00","\ud83d\ude00":["\\ud800","\u00df",1,null]}""")]
    [InlineData("\"😀\"")]
    [InlineData("7")]
    public void Text_that_is_text_is_read(string json)
    {
        using var document = StrictJson.Parse(Encoding.UTF8.GetBytes(json));
        Assert.Equal(json, document.RootElement.GetRawText());
    }

    [Theory]
    [InlineData("""{"a":"\ud800"}""", 5)]
    [InlineData("""{"a":"\uDfff"}""", 5)]
    [InlineData("""{"a":"\ude00\ud83d"}""", 5)]
    [InlineData("""{"a":[{"\ud83dx":1}]}""", 7)]
    public void Half_a_surrogate_pair_is_found_in_names_and_in_values(string json, int place)
    {
        var refused = Assert.ThrowsAny<JsonException>(() => StrictJson.Parse(Encoding.UTF8.GetBytes(json)));
        Assert.StartsWith($"the text at byte {place} has half a surrogate pair", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_no_UTF_8_and_texts_that_are_no_JSON_are_refused()
    {
        Assert.Equal("it is not valid UTF-8", Assert.ThrowsAny<JsonException>(() => StrictJson.Parse((byte[])[(byte)'"', 0xC3, (byte)'"'])).Message);
        Assert.ThrowsAny<JsonException>(() => StrictJson.Parse("{"u8.ToArray()));
    }
}
