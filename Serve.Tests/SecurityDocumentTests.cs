using System.Text.RegularExpressions;

namespace Serve.Tests;

/// <summary>SECURITY.md promises nothing that no test holds it to.</summary>
public sealed partial class SecurityDocumentTests
{
    [Fact]
    public void Every_test_that_it_names_is_one()
    {
        var named = TestName().Matches(File.ReadAllText(Path.Combine(Repository.Root, "SECURITY.md"))).Select(match => (Class: match.Groups[1].Value, Method: match.Groups[2].Value)).ToList();
        var tests = typeof(SecurityDocumentTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods().Where(method => method.GetCustomAttributes(typeof(FactAttribute), inherit: true).Length > 0).Select(method => (Class: type.Name, Method: method.Name)))
            .ToHashSet();

        Assert.True(named.Count > 20);
        Assert.All(named, test => Assert.Contains(test, tests));
    }

    [Theory]
    [InlineData("CVE-2023-43654")]
    [InlineData("CVE-2023-48299")]
    [InlineData("CVE-2022-1471")]
    [InlineData("CVE-2024-35198")]
    [InlineData("CVE-2024-35199")]
    public void Each_known_vulnerability_is_ruled_out_by_a_test(string number)
    {
        var row = File.ReadLines(Path.Combine(Repository.Root, "SECURITY.md")).Single(line => line.StartsWith("| ", StringComparison.Ordinal) && line.Contains(number, StringComparison.Ordinal));
        Assert.Matches(TestName(), row);
    }

    [GeneratedRegex(@"`(\w+Tests)\.(\w+)`")]
    private static partial Regex TestName();
}
