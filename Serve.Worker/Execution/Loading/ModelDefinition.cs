using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;

namespace Serve.Worker.Execution.Loading;

/// <summary>A model that is to be loaded: its file, or what its file was rewritten to.</summary>
internal sealed record ModelDefinition
{
    private const long TinyBytes = 4L << 20;

    private ModelDefinition(string file) => File = file;

    /// <summary>The model's file. Its external data lie beside it, rewritten or not.</summary>
    public string File { get; }

    /// <summary>The graph as the file has it, without weights; null if this reader cannot read it: ONNX Runtime may, or says why not.</summary>
    public ModelProto? Outline { get; private init; }

    /// <summary>What to load instead of the file's own content; null: the file.</summary>
    public byte[]? Rewritten { get; init; }

    /// <summary>How it was rewritten, with every number that decided about it.</summary>
    public string Rewriting { get; init; } = "";

    /// <summary>
    /// Whether everything in its folder is so small that looking into it is not worth a start's time: a worker compiles what
    /// reads a graph before it reads its first.
    /// </summary>
    public static bool IsTiny(string file) =>
        new DirectoryInfo(Path.GetDirectoryName(Path.GetFullPath(file))!).EnumerateFiles().Sum(other => other.Length) < TinyBytes;

    /// <summary>A model whose file nobody has looked into.</summary>
    public static ModelDefinition Unread(string file) => new(file);

    /// <summary>Bytes of the file and of its external data.</summary>
    public long TotalBytes { get; private init; }

    /// <summary>The files with weights that the model names, full paths, sorted.</summary>
    public IReadOnlyList<string> DataFiles { get; private init; } = [];

    /// <summary>Looks into a model's file.</summary>
    public static ModelDefinition Of(string file)
    {
        ModelProto outline;
        try
        {
            outline = OnnxOutlineReader.ReadFile(file);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return new ModelDefinition(file);
        }

        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        var data = OnnxTensors.Of(outline)
            .Select(OnnxTensors.ExternalLocation)
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)
            .Select(location => Path.GetFullPath(location, folder))
            .Where(System.IO.File.Exists)
            .Order(StringComparer.Ordinal)
            .ToArray();
        return new ModelDefinition(file) { Outline = outline, DataFiles = data, TotalBytes = data.Append(file).Sum(path => new FileInfo(path).Length) };
    }
}
