using CsCheck;
using Serve.Core.Models;

namespace Serve.Tests.Core.Models;

public sealed class VersionOrderTests
{
    [Fact]
    public void Numbers_count_by_value()
    {
        string[] versions = ["10.0", "2.0", "1.0.1", "1.0", "1.0-rc1", "v2", "v10", "2.0.0", "20240101", "1.00"];

        Assert.Equal(["1.0", "1.00", "1.0-rc1", "1.0.1", "2.0", "2.0.0", "10.0", "20240101", "v2", "v10"], versions.Order(VersionOrder.Instance));
    }

    [Fact]
    public void Digits_may_be_many() =>
        Assert.True(VersionOrder.Instance.Compare("1." + new string('9', 100), "1.1" + new string('0', 100)) < 0);

    [Fact]
    public void It_is_a_total_order()
    {
        var version = Gen.Char["0129.-a"].Array[0, 6].Select(characters => new string(characters));
        Gen.Select(version, version, version).Sample((a, b, c) =>
        {
            var order = VersionOrder.Instance;
            Assert.Equal(Math.Sign(order.Compare(a, b)), -Math.Sign(order.Compare(b, a)));
            Assert.Equal(a == b, order.Compare(a, b) == 0);
            if (order.Compare(a, b) <= 0 && order.Compare(b, c) <= 0) Assert.True(order.Compare(a, c) <= 0);
        }, iter: 20_000, threads: 1);
    }
}
