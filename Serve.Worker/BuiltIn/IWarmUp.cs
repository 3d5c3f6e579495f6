namespace Serve.Worker.BuiltIn;

/// <summary>A stock handler whose code is slow the first times it runs.</summary>
internal interface IWarmUp
{
    /// <summary>Runs what requests will run, before there are requests.</summary>
    /// <param name="runs">How often, at most.</param>
    void WarmUp(int runs);
}
