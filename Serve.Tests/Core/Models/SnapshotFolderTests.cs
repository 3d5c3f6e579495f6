using System.Security.Cryptography;
using System.Text;
using Serve.Core.Models.Snapshots;

namespace Serve.Tests.Core.Models;

public sealed class SnapshotFolderTests
{
    private const string Body = """{"models":[{"name":"m","versions":[{"version":"1.0","url":"m"}]}]}""";

    [Fact]
    public void What_an_earlier_build_wrote_is_read()
    {
        var sum = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Body)));

        Assert.Equal("m", Parse($"serve-snapshot 1 sha256={sum}\n{Body}\n").Models.Single().Name);
        Assert.Throws<InvalidDataException>(() => Parse($"serve-snapshot 1 sha256={sum}\n{Body.Replace("1.0", "1.1", StringComparison.Ordinal)}\n"));
        Assert.Throws<InvalidDataException>(() => Parse($"serve-snapshot 1 xxh128={sum}\n{Body}\n"));
        Assert.Throws<InvalidDataException>(() => Parse($"serve-snapshot 2 sha256={sum}\n{Body}\n"));
    }

    private static RegistrySnapshot Parse(string text) => SnapshotFolder.Parse(Encoding.UTF8.GetBytes(text));
}
