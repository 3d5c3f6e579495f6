namespace Serve.Core.Scheduling;

/// <summary>What became of a request at its arrival.</summary>
/// <param name="Verdict">Whether it was taken in.</param>
/// <param name="PredictedTicks">How long its answer would take, from its admission; 0 where nothing was predicted.</param>
public readonly record struct Admission(AdmissionVerdict Verdict, long PredictedTicks)
{
    /// <summary>Whether it was taken in.</summary>
    public bool IsAdmitted => Verdict == AdmissionVerdict.Admitted;
}

/// <summary>Whether a request is taken in.</summary>
public enum AdmissionVerdict
{
    /// <summary>It waits, or a worker has it.</summary>
    Admitted,

    /// <summary>As many wait as may.</summary>
    QueueFull,

    /// <summary>Its answer would come after its deadline.</summary>
    TooLate,
}
