namespace Serve.LoadGenerator.Load;

/// <summary>One of the things that a load asks for, usually a model.</summary>
/// <param name="Name">For people.</param>
/// <param name="Requests">Whole HTTP requests, sent in turn.</param>
/// <param name="Weight">Its share of the load, beside the weights of the others; above 0.</param>
public sealed record LoadTarget(string Name, IReadOnlyList<ReadOnlyMemory<byte>> Requests, double Weight = 1);
