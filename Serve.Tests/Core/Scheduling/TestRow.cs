using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

internal sealed class TestRow(string name, long shape) : FormerRow
{
    public string Name => name;

    public long ItsShape => shape;
}
