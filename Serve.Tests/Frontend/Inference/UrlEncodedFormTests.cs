using System.Text;
using CsCheck;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Frontend.Inference;

namespace Serve.Tests.Frontend.Inference;

public sealed class UrlEncodedFormTests
{
    [Theory]
    [InlineData("a=1&b=two+words&c=%C3%BC", "a:1|b:two words|c:ü")]
    [InlineData("a&&b=&=c&", "a:|b:|:c")]
    [InlineData("a%3Db=x%26y", "a=b:x&y")]
    [InlineData("a=100%&b=%zz&c=%4", "a:100%|b:%zz|c:%4")]
    [InlineData("a=1=2", "a:1=2")]
    public void Fields_are_decoded(string form, string expected) =>
        Assert.Equal(expected, string.Join('|', Read(form).Select(field => $"{field.Name}:{field.Value}")));

    [Fact]
    public void What_a_client_encodes_is_what_is_read()
    {
        // Lone surrogates cannot be encoded by anyone.
        var text = Gen.String[Gen.Char.Where(letter => !char.IsSurrogate(letter)), 0, 30];
        Gen.Select(text, text).List[1, 10].Sample(fields =>
        {
            var form = string.Join('&', fields.Select(field => $"{Uri.EscapeDataString(field.Item1)}={Uri.EscapeDataString(field.Item2)}"));
            return Read(form).SequenceEqual(fields.Select(field => (field.Item1, field.Item2)));
        }, iter: 500);
    }

    [Fact]
    public void Any_bytes_are_fields()
    {
        Gen.Byte.Array[0, 100].Sample(bytes =>
        {
            var payload = RequestPayload.Rent(bytes.Length);
            var form = new UrlEncodedForm(bytes);
            while (form.Read(payload, out _, out var offset, out var length)) Assert.Equal(payload.Body.Length, offset + length);
            payload.Release();
        }, iter: 5000);
    }

    [Fact]
    public void More_than_a_thousand_fields_are_refused() =>
        Assert.Throws<BadRequestException>(() => Read(string.Join('&', Enumerable.Repeat("a=1", 1001))));

    [Fact]
    public void A_name_without_end_is_refused() => Assert.Throws<BadRequestException>(() => Read(new string('a', 4000)));

    [Theory]
    [InlineData("a=b", true)]
    [InlineData("text=hello world, said Größe\n", true)]
    [InlineData("{\"a\": 1}", false)]
    [InlineData("[1, 2]", false)]
    [InlineData("\u0089PNG\r\n\u001a\n", false)]
    [InlineData("", false)]
    public void Pictures_and_json_that_curl_announces_as_a_form_are_raw_bodies(string body, bool isForm) =>
        Assert.Equal(isForm, UrlEncodedForm.LooksLikeOne(Encoding.UTF8.GetBytes(body)));

    private static List<(string Name, string Value)> Read(string form)
    {
        var payload = RequestPayload.Rent(form.Length);
        try
        {
            var fields = new List<(string, string)>();
            var reader = new UrlEncodedForm(Encoding.UTF8.GetBytes(form));
            while (reader.Read(payload, out var name, out var offset, out var length)) fields.Add((name, Encoding.UTF8.GetString(payload.Body.Span.Slice(offset, length))));
            return fields;
        }
        finally
        {
            payload.Release();
        }
    }
}
