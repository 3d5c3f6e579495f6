using System.Security.Cryptography;
using System.Text;

namespace Serve.Core.Workers;

/// <summary>What a worker proves with that it is the process that was started for it: 256 random bits. Immutable.</summary>
internal sealed class WorkerToken
{
    private const string Source = "/dev/urandom";
    private readonly byte[] _text;

    private WorkerToken(ReadOnlySpan<byte> random)
    {
        Text = Convert.ToHexString(random);
        _text = Encoding.ASCII.GetBytes(Text);
    }

    /// <summary>As it is given to the process.</summary>
    public string Text { get; }

    /// <summary>A new one.</summary>
    /// <remarks>From the kernel: RandomNumberGenerator would load OpenSSL, 4 MB of an idle server that has no use for it else.</remarks>
    /// <exception cref="IOException">The kernel's random numbers cannot be read.</exception>
    public static WorkerToken New()
    {
        Span<byte> random = stackalloc byte[32];
        using var kernel = new FileStream(Source, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        kernel.ReadExactly(random);
        return new WorkerToken(random);
    }

    /// <summary>Whether a text is this token; takes as long for each of its length.</summary>
    /// <param name="other">Any text.</param>
    public bool Is(string other) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(other), _text);
}
