namespace Serve.Core.Configuration;

/// <summary>A configuration that was read and is valid.</summary>
/// <typeparam name="T">The record.</typeparam>
/// <param name="Configuration">What holds.</param>
/// <param name="Warnings">Sentences for the log: settings that were understood and have no effect here.</param>
/// <param name="WrittenKeys">The top-level keys that some source sets; the others have their defaults.</param>
public sealed record ConfigurationRead<T>(T Configuration, IReadOnlyList<string> Warnings, IReadOnlySet<string> WrittenKeys);
