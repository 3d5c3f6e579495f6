namespace Serve.Core.Scheduling;

/// <summary>Lane, then deadline, then arrival.</summary>
internal static class RowOrder
{
    public static bool Before(FormerRow a, FormerRow b)
    {
        if (a.Lane != b.Lane) return a.Lane < b.Lane;
        if (a.DeadlineTimestamp != b.DeadlineTimestamp) return a.DeadlineTimestamp < b.DeadlineTimestamp;
        return a.Sequence < b.Sequence;
    }
}
