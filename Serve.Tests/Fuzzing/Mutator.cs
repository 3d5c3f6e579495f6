namespace Serve.Tests.Fuzzing;

/// <summary>Changes good inputs a little, as an attacker or a bad disk would.</summary>
internal static class Mutator
{
    /// <summary>Numbers at which readers break: ends of ranges, in the byte orders of formats.</summary>
    private static readonly byte[][] Numbers =
    [
        [0], [1], [0x7F], [0x80], [0xFF], [0, 0], [0xFF, 0xFF], [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0x7F], [0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0x80],
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    ];

    /// <summary>A changed copy.</summary>
    /// <param name="random">Decides.</param>
    /// <param name="good">The good input.</param>
    /// <param name="other">Another, parts of which may be put in.</param>
    /// <param name="words">Pieces that mean something in the format.</param>
    public static byte[] Mutate(Random random, byte[] good, byte[] other, IReadOnlyList<byte[]> words)
    {
        var bytes = good.ToList();
        for (var change = random.Next(1, 6); change > 0 && bytes.Count > 0; change--) Change(random, bytes, other, words);
        return [.. bytes];
    }

    private static void Change(Random random, List<byte> bytes, byte[] other, IReadOnlyList<byte[]> words)
    {
        var at = random.Next(bytes.Count);
        switch (random.Next(9))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                Overwrite(bytes, at, Numbers[random.Next(Numbers.Length)]);
                break;
            case 3 or 4:
                Overwrite(bytes, at, words[random.Next(words.Count)]);
                break;
            case 5:
                bytes.InsertRange(at, words[random.Next(words.Count)]);
                break;
            case 6:
                bytes.RemoveRange(at, Math.Min(random.Next(1, 64), bytes.Count - at));
                break;
            case 7:
                var from = random.Next(other.Length);
                var part = other.AsSpan(from, Math.Min(random.Next(1, 600), other.Length - from));
                if (random.Next(2) == 0) Overwrite(bytes, at, part);
                else bytes.InsertRange(at, part);
                break;
            default:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
        }
    }

    private static void Overwrite(List<byte> bytes, int at, ReadOnlySpan<byte> with)
    {
        for (var i = 0; i < with.Length && at + i < bytes.Count; i++) bytes[at + i] = with[i];
    }
}
