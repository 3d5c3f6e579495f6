using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

internal sealed class TestRequest : ScheduledRequest
{
    public override string ToString() => $"#{Id} {Place}";
}
