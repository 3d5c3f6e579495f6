using System.Globalization;
using Serve.Core.Configuration;
using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;
using Serve.Core.Protocol;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Worker.Execution.Doctor;

/// <summary>A model as the doctor sees it: graphs without weights.</summary>
/// <param name="Original">The graph as it was exported.</param>
/// <param name="Optimized">The graph that runs; null where it cannot be had (TensorRT).</param>
/// <param name="IsForGpu">Whether the configuration wants a GPU.</param>
/// <param name="RunsOnGpu">Whether it was loaded on one.</param>
/// <param name="WantsCudaGraphs">Whether the configuration asks for CUDA graphs.</param>
/// <param name="IsNarrowedToHalf">Whether what is float32 is computed in 16 bits all the same: TensorRT with <c>fp16</c>.</param>
internal sealed record DoctorSubject(ModelProto Original, ModelProto? Optimized, bool IsForGpu, bool RunsOnGpu, bool WantsCudaGraphs, bool IsNarrowedToHalf = false)
{
    /// <summary>A model with the configuration that it is served with.</summary>
    public static DoctorSubject Of(ModelProto original, ModelProto? optimized, bool isForGpu, bool runsOnGpu, ExecutionConfiguration execution) =>
        new(original, optimized, isForGpu, runsOnGpu, execution.CudaGraphs, execution.Fp16 && execution.Providers.Contains("tensorrt"));
}

/// <summary>
/// Looks at a model's graph for what makes it slow, and says what it costs and what mends it. Pure: graphs in, findings out.
/// Costs are what to expect; <c>docs/models.md</c> says where they come from.
/// </summary>
internal static class GraphDoctor
{
    /// <summary>The topic of a fixed batch.</summary>
    public const string BatchTopic = "batch";

    private const double MostlyOfOneKind = 0.5;
    private const long SmallWeightBytes = 4L << 20;
    private const int OldOperatorSet = 13;

    private static readonly HashSet<string> ControlFlow = new(StringComparer.Ordinal) { "If", "Loop", "Scan", "SequenceMap" };

    /// <summary>What is well and what is not, the dearest first.</summary>
    public static IReadOnlyList<DoctorFinding> Examine(DoctorSubject subject)
    {
        var findings = new List<DoctorFinding>();
        if (subject.Optimized is { } optimized)
        {
            var graph = new GraphIndex(optimized.Graph);
            findings.AddRange(Fusions(subject, graph));
            findings.AddRange(Fallback(subject, graph));
            findings.AddRange(Chains(graph, FusionCounts.Attention(graph).Unfused));
        }

        findings.AddRange(Precision(subject));
        findings.AddRange(Shapes(subject));
        findings.AddRange(Age(subject.Original));
        return [.. findings.OrderBy(finding => finding.Severity)];
    }

    private static IEnumerable<DoctorFinding> Fusions(DoctorSubject subject, GraphIndex graph)
    {
        var isOurs = subject.Original.ProducerName == "serve";
        var fuse = isOurs
            ? "serve models create ARCHITECTURE --attention fused --force"
            : "export again with opset 17 or newer and PyTorch's own attention (torch.nn.functional.scaled_dot_product_attention), or fuse the file: python -m onnxruntime.transformers.optimizer --input model.onnx --output fused.onnx --model_type vit (or bert, gpt2, …) --num_heads N --hidden_size N";

        if (Fusion("attention", FusionCounts.Attention(graph), subject.IsForGpu, "2 to 3 times the time of a fused transformer on CUDA", "nothing to speak of on the CPU; 2 to 3 times the time on CUDA", fuse) is { } attention) yield return attention;
        if (Fusion("layerNorm", FusionCounts.LayerNorm(graph), subject.IsForGpu, "about 8 kernels over all tokens for each instead of 1: expect 10 to 20 % on CUDA", "a few percent on the CPU; expect 10 to 20 % on CUDA", "export with opset 17 or newer, where layer norm is one operator (torch.onnx.export(…, opset_version=17))") is { } norm) yield return norm;
        if (Fusion("gelu", FusionCounts.Gelu(graph), subject.IsForGpu, "5 passes over the widest tensor instead of 1: expect 5 to 15 % on CUDA", "a few percent on the CPU; expect 5 to 15 % on CUDA", "export with opset 20 or newer, where GELU is one operator, or fuse the file as for attention") is { } gelu) yield return gelu;
    }

    private static DoctorFinding? Fusion(string topic, FusionCount count, bool isForGpu, string costOnGpu, string costOnCpu, string remedy)
    {
        var name = topic switch { "attention" => "attention", "layerNorm" => "layer norm", _ => "GELU" };
        return count switch
        {
            { Total: 0 } => null,
            { Unfused: 0 } => new DoctorFinding(topic, FindingSeverity.Good, $"{name}: {Number(count.Fused)} fused, none spelled out"),
            _ => new DoctorFinding(
                topic,
                isForGpu ? FindingSeverity.Warning : FindingSeverity.Advice,
                $"{name}: {Number(count.Unfused)} of {Number(count.Total)} spelled out in single operators, {(count.Fused == 0 ? "none" : Number(count.Fused))} fused",
                isForGpu ? costOnGpu : costOnCpu,
                remedy),
        };
    }

    /// <summary>Between a copy to the CPU and one back lies what the GPU has no kernel for.</summary>
    private static IEnumerable<DoctorFinding> Fallback(DoctorSubject subject, GraphIndex graph)
    {
        if (!subject.RunsOnGpu) yield break;
        var down = graph.Graph.Node.Where(node => node.OpType == "MemcpyToHost").ToList();
        var up = graph.Graph.Node.Where(node => node.OpType == "MemcpyFromHost").ToList();
        if (down.Count == 0 && up.All(node => graph.Producers(node).Any() is false))
        {
            yield return new DoctorFinding("fallback", FindingSeverity.Good, "no node falls back to the CPU");
            yield break;
        }

        var operators = down.SelectMany(graph.Consumers).Concat(up.SelectMany(graph.Producers)).Select(node => node.OpType)
            .CountBy(name => name).OrderByDescending(pair => pair.Value).Select(pair => $"{pair.Key} ({Number(pair.Value)})").Take(8);
        yield return new DoctorFinding(
            "fallback",
            FindingSeverity.Warning,
            $"nodes fall back to the CPU, with {Number(down.Count)} copies from the GPU and {Number(up.Count)} to it: {string.Join(", ", operators)}",
            "the GPU waits for each copy, 20 µs and more a batch, and no CUDA graph can be recorded",
            "replace these operators, or the element types that CUDA has no kernel for (int64 arithmetic, float64, strings), before the export; move post-processing such as NonMaxSuppression into a handler");
    }

    private static IEnumerable<DoctorFinding> Chains(GraphIndex graph, int attentions)
    {
        var nodes = graph.Graph.Node.Count;
        foreach (var (topic, name, remedy) in new[]
        {
            ("casts", "Cast", "export the whole model in one precision (model.half() before the export), instead of converting the file"),
            ("transposes", "Transpose", "export in the layout that the operators compute in: NCHW for ONNX, so transpose once before the model (preprocessing.layout), not around each convolution"),
        })
        {
            var all = graph.Graph.Node.Where(node => node.OpType == name).ToList();
            var pairs = all.Count(node => graph.Consumers(node).Any(consumer => consumer.OpType == name));

            // Attention that is spelled out has four of its own, which go when it is fused.
            var others = name == "Transpose" ? all.Count - (4 * attentions) : all.Count;
            if (pairs < 4 && (others < 16 || others * 6 < nodes)) continue;
            yield return new DoctorFinding(
                topic,
                FindingSeverity.Advice,
                $"{Number(all.Count)} of {Number(nodes)} nodes are {name}{(pairs > 0 ? $", {Number(pairs)} of them directly before another" : "")}",
                "each reads and writes its whole tensor and computes nothing: expect some percent for every ten",
                remedy);
        }
    }

    private static IEnumerable<DoctorFinding> Precision(DoctorSubject subject)
    {
        var bytes = OnnxTensors.Of(subject.Original)
            .GroupBy(tensor => (DataType)tensor.DataType)
            .ToDictionary(group => group.Key, group => group.Sum(tensor => (double)OnnxTensors.ElementCount(tensor) * OnnxTensors.ElementBytes(tensor.DataType)));
        var total = bytes.Values.Sum();
        if (total < SmallWeightBytes) yield break;

        var single = bytes.GetValueOrDefault(DataType.Float) / total;
        var half = (bytes.GetValueOrDefault(DataType.Float16) + bytes.GetValueOrDefault(DataType.Bfloat16)) / total;
        var convert = subject.Original.ProducerName == "serve"
            ? ("serve models create ARCHITECTURE --dtype float16 --force", "serve models create ARCHITECTURE --dtype float32 --force")
            : ("export in half precision: model.half() and torch.onnx.export with half inputs, or python -m onnxruntime.transformers.optimizer … --float16; compare the answers afterwards", "export in float32");
        if (subject.IsForGpu && subject.IsNarrowedToHalf && single > MostlyOfOneKind)
        {
            yield return new DoctorFinding("precision", FindingSeverity.Good, $"weights suit the device: float32 ({Share(single)}), which TensorRT computes in 16 bits (fp16)");
        }
        else if (subject.IsForGpu && single > MostlyOfOneKind)
        {
            yield return new DoctorFinding("precision", FindingSeverity.Warning, $"weights are float32 ({Share(single)})",
                "float16 takes half of the memory and computes 2 to 8 times as fast on a GPU with tensor cores", convert.Item1);
        }
        else if (!subject.IsForGpu && half > MostlyOfOneKind)
        {
            yield return new DoctorFinding("precision", FindingSeverity.Warning, $"weights are 16-bit floats ({Share(half)}), and the CPU provider widens them: it has hardly any kernels for them",
                "3 to 4 times the time and twice the memory of float32", convert.Item2);
        }
        else
        {
            yield return new DoctorFinding("precision", FindingSeverity.Good, $"weights suit the device: {(half > single ? $"16-bit floats ({Share(half)})" : single > MostlyOfOneKind ? $"float32 ({Share(single)})" : "mostly integers")}");
        }
    }

    private static IEnumerable<DoctorFinding> Shapes(DoctorSubject subject)
    {
        var graph = subject.Original.Graph;
        var weights = graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        var inputs = graph.Input.Where(input => !weights.Contains(input.Name) && input.Type?.TensorType?.Shape is not null).ToList();
        if (inputs.Count == 0) yield break;

        var first = inputs.Select(input => input.Type.TensorType.Shape.Dim.FirstOrDefault()).ToList();
        if (first.All(dimension => dimension is { HasDimValue: true, DimValue: > 0 }))
        {
            yield return new DoctorFinding(BatchTopic, FindingSeverity.Warning, $"the batch is fixed at {Number(first[0]!.DimValue)}: {string.Join(", ", inputs.Select(Describe))}",
                "rows run one by one: a GPU is left idle for most of the time, and batchSize has no effect",
                "export with a dynamic batch: dynamic_shapes=({0: torch.export.Dim(\"batch\")},) and an example of two rows");
        }
        else if (WithoutBatch(inputs.Concat(graph.Output)) is [_, ..] fixedOnes)
        {
            yield return new DoctorFinding(BatchTopic, FindingSeverity.Warning, $"nothing is batched, because the first dimension is not dynamic everywhere: {Some(fixedOnes)}",
                "rows run one by one: a GPU is left idle for most of the time, and batchSize has no effect",
                "export with the batch as the first dimension of every input and output, and dynamic; what is the same for all rows is better a constant");
        }
        else
        {
            yield return new DoctorFinding(BatchTopic, FindingSeverity.Good, "the batch is dynamic");
        }

        var others = inputs.Where(input => input.Type.TensorType.Shape.Dim.Skip(1).Any(dimension => !dimension.HasDimValue || dimension.DimValue <= 0)).ToList();
        var branches = graph.Node.Where(node => ControlFlow.Contains(node.OpType)).Select(node => node.OpType).Distinct(StringComparer.Ordinal).ToList();
        if (others.Count == 0 && branches.Count == 0) yield break;

        var why = others.Count > 0 ? $"more than the batch is dynamic: {Some(others)}" : $"control flow in the graph: {string.Join(", ", branches)}";
        yield return new DoctorFinding("shapes", subject.WantsCudaGraphs ? FindingSeverity.Warning : FindingSeverity.Advice, why,
            $"{(others.Count > 0 ? "requests of different shapes do not share a batch; " : "")}CUDA graphs are ruled out",
            others.Count > 0 ? "export with fixed sizes, or let clients pad to a few sizes" : "export without data-dependent branches, or leave cudaGraphs off");
    }

    private static IEnumerable<DoctorFinding> Age(ModelProto model)
    {
        var version = model.OpsetImport.FirstOrDefault(set => set.Domain is "" or "ai.onnx")?.Version ?? 0;
        if (version is 0 or >= OldOperatorSet) yield break;
        yield return new DoctorFinding("operatorSet", FindingSeverity.Advice, $"operator set {Number(version)} is old",
            "ONNX Runtime's fusions look for the operators of newer sets and may pass over these", "export again with opset 17 or newer");
    }

    /// <summary>Where the first dimension is a number, or there is none: one of them, and no request shares a batch with another.</summary>
    private static List<ValueInfoProto> WithoutBatch(IEnumerable<ValueInfoProto> tensors) =>
        [.. tensors.Where(tensor => tensor.Type?.TensorType?.Shape is { } shape && (shape.Dim.FirstOrDefault() is null or { HasDimValue: true, DimValue: > 0 }))];

    private static string Some(List<ValueInfoProto> tensors) => $"{string.Join(", ", tensors.Take(3).Select(Describe))}{(tensors.Count > 3 ? $" and {Number(tensors.Count - 3)} more" : "")}";

    private static string Describe(ValueInfoProto input) =>
        $"{input.Name} [{string.Join(", ", input.Type.TensorType.Shape.Dim.Select(dimension => dimension.HasDimValue ? Number(dimension.DimValue) : dimension.DimParam.Length > 0 ? dimension.DimParam : "?"))}]";

    private static string Share(double share) => share.ToString("0 %", CultureInfo.InvariantCulture);

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
