using System.Text;

namespace Serve.Core.Protocol;

/// <summary>
/// Strings for short texts that come again and again, such as media types: made once for each. Bounded; a text that finds its
/// place taken takes it over. Belongs to one thread.
/// </summary>
internal sealed class TextCache
{
    private const int Places = 32;
    private const int LongestText = 128;

    private readonly (byte[] Bytes, string Text)[] _known = new (byte[], string)[Places];

    /// <summary>The text of these UTF-8 bytes.</summary>
    public string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty) return "";
        if (utf8.Length > LongestText) return Encoding.UTF8.GetString(utf8);

        ref var known = ref _known[(uint)(utf8.Length + (31 * utf8[0]) + (17 * utf8[^1])) % Places];
        if (known.Bytes is null || !utf8.SequenceEqual(known.Bytes)) known = (utf8.ToArray(), Encoding.UTF8.GetString(utf8));
        return known.Text;
    }
}
