using Serve.Core.Onnx.Format;

namespace Serve.Tests.Conformance;

/// <summary>ONNX's own test suite, as Debian packages it: small models, each with inputs and the outputs that they give.</summary>
internal static class OnnxTestSuite
{
    /// <summary>Debian's package <c>libonnx-testdata</c>.</summary>
    public const string Folder = "/usr/share/libonnx-testdata/data";

    private static readonly string[] Groups = ["node", "simple", "pytorch-operator", "pytorch-converted"];

    public static bool IsThere => Directory.Exists(Folder);

    public static IReadOnlyList<OnnxTestCase> All() =>
    [
        .. Groups.SelectMany(group => Directory.EnumerateDirectories(Path.Combine(Folder, group)).Select(folder => new OnnxTestCase(group, Path.GetFileName(folder), folder)))
            .Where(test => File.Exists(test.ModelFile))
            .OrderBy(test => test.Model, StringComparer.Ordinal),
    ];
}

/// <summary>A model of the suite.</summary>
/// <param name="Group">Which part of the suite it is of.</param>
/// <param name="Name">Its name there.</param>
/// <param name="Folder">Its folder.</param>
internal sealed record OnnxTestCase(string Group, string Name, string Folder)
{
    /// <summary>Its name in a server.</summary>
    public string Model => $"{Group}-{Name}";

    public string ModelFile => Path.Combine(Folder, "model.onnx");

    /// <summary>What goes in and what comes out, each once; tensors are named by the model.</summary>
    /// <exception cref="NotSupportedException">A value is no tensor, or of a type that the Open Inference Protocol does not have.</exception>
    public IReadOnlyList<(OnnxTestTensor[] Inputs, OnnxTestTensor[] Outputs)> ReadData()
    {
        var graph = ModelProto.Parser.ParseFrom(File.ReadAllBytes(ModelFile)).Graph;
        var constants = graph.Initializer.Select(weight => weight.Name).ToHashSet(StringComparer.Ordinal);
        var inputs = graph.Input.Where(input => !constants.Contains(input.Name)).ToArray();
        var outputs = graph.Output.ToArray();
        return [.. Directory.EnumerateDirectories(Folder, "test_data_set_*").Order(StringComparer.Ordinal).Select(set => (Read(set, "input", inputs), Read(set, "output", outputs)))];
    }

    private static OnnxTestTensor[] Read(string folder, string kind, ValueInfoProto[] declared)
    {
        var count = Directory.GetFiles(folder, $"{kind}_*.pb").Length;
        if (count > declared.Length) throw new NotSupportedException($"The model has {declared.Length} {kind}s, the suite {count}.");
        return [.. declared.Take(count).Select((value, i) => OnnxTestTensor.Read(Path.Combine(folder, $"{kind}_{i}.pb"), value.Name, (TensorProto.Types.DataType)value.Type.TensorType.ElemType))];
    }

    public override string ToString() => Model;
}
