namespace Serve.Benchmarks.Reporting;

/// <summary>A figure that could not be measured on this machine.</summary>
/// <param name="Scenario">The scenario's name, as <c>--only</c> has it.</param>
/// <param name="Name">What would have been measured.</param>
/// <param name="Reason">Why it was not.</param>
internal sealed record Omission(string Scenario, string Name, string Reason);
