using System.Reflection;
using Google.Protobuf;
using Serve.Core.Onnx.Format;

namespace Serve.Tests.Worker;

/// <summary>
/// ResNet18 without its last layer, from the NuGet package Microsoft.ML.DnnImageFeaturizer.ResNet18. The package has two
/// models, one that subtracts a mean picture and turns RGB into BGR, and the network; here they become one.
/// </summary>
internal static class ResNet18
{
    private static readonly string Folder = Path.Combine(
        typeof(ResNet18).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(item => item.Key == "NuGetPackageRoot").Value!,
        "microsoft.ml.dnnimagefeaturizer.resnet18", "0.23.1");

    public static void Write(string file)
    {
        var preprocess = Parse("ResNetPreprocess.onnx");
        var network = Parse("ResNet18.onnx");
        var (front, back) = (preprocess.Graph, network.Graph);

        // The second model's names get a prefix, but for its input, which is the first one's output.
        var joint = back.Input.Single(input => back.Initializer.All(weight => weight.Name != input.Name)).Name;
        string Rename(string name) => name.Length == 0 ? "" : name == joint ? front.Output[0].Name : "net/" + name;
        foreach (var node in back.Node)
        {
            Replace(node.Input, Rename);
            Replace(node.Output, Rename);
        }

        foreach (var weight in back.Initializer) weight.Name = Rename(weight.Name);
        foreach (var value in back.Input.Concat(back.Output)) value.Name = Rename(value.Name);

        front.Node.AddRange(back.Node);
        front.Initializer.AddRange(back.Initializer);
        front.Input.AddRange(back.Input.Where(input => input.Name != front.Output[0].Name));
        front.ValueInfo.Clear();
        front.Output.Clear();
        front.Output.AddRange(back.Output);
        preprocess.OpsetImport.Clear();
        preprocess.OpsetImport.AddRange(network.OpsetImport);
        File.WriteAllBytes(file, preprocess.ToByteArray());
    }

    private static void Replace(Google.Protobuf.Collections.RepeatedField<string> names, Func<string, string> rename)
    {
        for (var i = 0; i < names.Count; i++) names[i] = rename(names[i]);
    }

    private static ModelProto Parse(string name)
    {
        var file = Directory.EnumerateFiles(Folder, name, SearchOption.AllDirectories).FirstOrDefault()
            ?? throw new InvalidOperationException($"The package Microsoft.ML.DnnImageFeaturizer.ResNet18 has no {name} in {Folder}.");
        return ModelProto.Parser.ParseFrom(File.ReadAllBytes(file));
    }
}
