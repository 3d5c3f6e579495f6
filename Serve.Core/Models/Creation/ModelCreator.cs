using System.Text.RegularExpressions;
using Serve.Core.Errors;
using Serve.Core.Onnx;

namespace Serve.Core.Models.Creation;

/// <summary>
/// Writes models of true architectures with seeded random weights into a model store, ready to serve: for sizing and
/// benchmarks without a download. A random network costs what a trained one costs; its answers mean nothing.
/// </summary>
public static partial class ModelCreator
{
    private const string ModelFileName = "model.onnx";
    private const string DataFileName = "model.onnx.data";

    /// <summary>The names that <see cref="ModelCreationRequest.Architecture"/> takes, the smallest model first.</summary>
    public static IReadOnlyList<string> Architectures { get; } = [.. VisionTransformerArchitecture.All.Select(vit => vit.Name)];

    /// <summary>
    /// Writes <c>store/name/version/</c> with <c>model.onnx</c>, its weights in <c>model.onnx.data</c> and
    /// <c>model-config.yaml</c>. Takes seconds and writes up to 1.2 GB (<c>vit_l_16</c> in 32 bits), using a few
    /// megabytes of memory a core.
    /// </summary>
    /// <remarks>
    /// The files are written to a hidden folder in the store and moved into place when they are complete, so a server
    /// that watches the store never sees half a model, and a failure or cancellation leaves nothing behind.
    /// </remarks>
    /// <param name="request">What to create, and where.</param>
    /// <param name="progress">Told about every piece of weights written; from any thread, and not always in order.</param>
    /// <param name="cancellation">Stops soon and removes what was written.</param>
    /// <exception cref="BadRequestException">No such architecture, or a name that no folder may have.</exception>
    /// <exception cref="ConflictStatusException">The version is there already and <see cref="ModelCreationRequest.Force"/> is not set.</exception>
    /// <exception cref="OutOfResourcesException">The disk is too full: the message says how much is needed and how much there is.</exception>
    public static CreatedModel Create(
        ModelCreationRequest request, IProgress<ModelCreationProgress>? progress = null, CancellationToken cancellation = default)
    {
        var architecture = Find(request.Architecture);
        var name = request.ModelName ?? architecture.Name;
        CheckName("model name", name);
        CheckName("version", request.Version);

        var store = Path.GetFullPath(request.ModelStore);
        var target = Path.Combine(store, name, request.Version);
        if (Path.Exists(target) && !request.Force)
        {
            throw new ConflictStatusException($"Model version {request.Version} of {name} already exists: {target}. Use --force to replace it.");
        }

        var form = request.Form ?? (request.Precision is WeightPrecision.Float16 ? OperatorForm.Fused : OperatorForm.Plain);
        var model = VisionTransformerGraph.Build(architecture.Name, architecture.Sizes, request.Precision, DataFileName, form);
        var configuration = ModelConfigurationText.For(architecture, request);
        Directory.CreateDirectory(store);
        CheckFreeSpace(store, model.TotalBytes + configuration.Length);

        var temporary = Path.Combine(store, $".{name}-{request.Version}-{Path.GetRandomFileName()}");
        Directory.CreateDirectory(temporary);
        try
        {
            var weights = new SeededWeights(request.Seed, VisionTransformerWeights.Of(architecture.Sizes));
            OnnxModelWriter.Write(model, weights, temporary, ModelFileName, Reporter(progress, model.DataFileBytes), cancellation);
            File.WriteAllText(Path.Combine(temporary, "model-config.yaml"), configuration);

            var totalBytes = Directory.EnumerateFiles(temporary).Sum(file => new FileInfo(file).Length);
            MoveIntoPlace(temporary, target);
            return new(name, request.Version, target, model.Weights.Sum(weight => weight.ElementCount), totalBytes);
        }
        finally
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }
    }

    private static VisionTransformerArchitecture Find(string name) =>
        VisionTransformerArchitecture.All.FirstOrDefault(vit => vit.Name == name)
        ?? throw new BadRequestException($"No architecture is called '{name}'. There are: {string.Join(", ", Architectures)}.");

    /// <summary>Names become folders: nothing that leads out of the store, and nothing hidden.</summary>
    private static void CheckName(string what, string name)
    {
        if (!FolderName().IsMatch(name))
        {
            throw new BadRequestException(
                $"'{name}' cannot be a {what}: use letters, digits, '_', '-' and '.', a letter or digit first, at most 128.");
        }
    }

    private static void CheckFreeSpace(string store, long neededBytes)
    {
        var freeBytes = new DriveInfo(store).AvailableFreeSpace;
        if (freeBytes < neededBytes)
        {
            throw new OutOfResourcesException(
                $"The model needs {neededBytes:N0} bytes, and only {freeBytes:N0} are free where the model store is ({store}).");
        }
    }

    private static Action<long>? Reporter(IProgress<ModelCreationProgress>? progress, long totalBytes)
    {
        if (progress is null)
        {
            return null;
        }

        long written = 0;
        return pieceBytes => progress.Report(new(Interlocked.Add(ref written, pieceBytes), totalBytes));
    }

    /// <summary>A version that is replaced steps aside first: two renames, and never a mixture of old and new files.</summary>
    private static void MoveIntoPlace(string temporary, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        var replaced = temporary + ".replaced";
        if (Directory.Exists(target))
        {
            Directory.Move(target, replaced);
        }

        try
        {
            Directory.Move(temporary, target);
        }
        catch when (Directory.Exists(replaced))
        {
            Directory.Move(replaced, target);
            throw;
        }

        if (Directory.Exists(replaced))
        {
            Directory.Delete(replaced, recursive: true);
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\z")]
    private static partial Regex FolderName();
}
