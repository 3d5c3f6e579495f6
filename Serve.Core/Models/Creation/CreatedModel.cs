namespace Serve.Core.Models.Creation;

/// <summary>A model version that was written.</summary>
/// <param name="Name">The model's name in the store.</param>
/// <param name="Version">The version's name.</param>
/// <param name="Folder">The version's folder, a full path.</param>
/// <param name="ParameterCount">The number of weights.</param>
/// <param name="TotalBytes">The size of its files.</param>
public sealed record CreatedModel(string Name, string Version, string Folder, long ParameterCount, long TotalBytes);

/// <summary>How far the writing of a model has come.</summary>
/// <param name="WrittenBytes">Weights written so far.</param>
/// <param name="TotalBytes">Weights in all.</param>
public readonly record struct ModelCreationProgress(long WrittenBytes, long TotalBytes);
