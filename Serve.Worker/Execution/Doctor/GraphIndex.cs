using Serve.Core.Onnx.Format;

namespace Serve.Worker.Execution.Doctor;

/// <summary>A graph with the ways along its edges. Pure; of the outermost graph only.</summary>
internal sealed class GraphIndex
{
    private readonly Dictionary<string, NodeProto> _producers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<NodeProto>> _consumers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _weights;

    public GraphIndex(GraphProto graph)
    {
        Graph = graph;
        _weights = graph.Initializer.Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var node in graph.Node)
        {
            foreach (var output in node.Output.Where(output => output.Length > 0)) _producers[output] = node;
            foreach (var input in node.Input.Where(input => input.Length > 0).Distinct(StringComparer.Ordinal))
            {
                if (!_consumers.TryGetValue(input, out var nodes)) _consumers.Add(input, nodes = []);
                nodes.Add(node);
            }
        }
    }

    public GraphProto Graph { get; }

    /// <summary>The node that makes an input of another; null for weights, the graph's inputs, and what is left out.</summary>
    public NodeProto? Producer(NodeProto node, int input) => input < node.Input.Count ? _producers.GetValueOrDefault(node.Input[input]) : null;

    /// <summary>The nodes that make a node's inputs.</summary>
    public IEnumerable<NodeProto> Producers(NodeProto node) => node.Input.Select(input => _producers.GetValueOrDefault(input)).OfType<NodeProto>();

    public IEnumerable<NodeProto> Consumers(NodeProto node) => node.Output.SelectMany(output => _consumers.GetValueOrDefault(output) ?? []);

    /// <summary>Whether every input is a weight or comes out of a constant.</summary>
    public bool IsConstant(NodeProto node, int input) =>
        input < node.Input.Count && (_weights.Contains(node.Input[input]) || _producers.GetValueOrDefault(node.Input[input])?.OpType is "Constant");

    /// <summary>The first node of a kind upwards from an input, through nodes that only pass their first or other input on.</summary>
    public NodeProto? FindUp(NodeProto node, Func<NodeProto, bool> wanted, Func<NodeProto, bool> through, int steps = 8) =>
        Find(node, Producers, wanted, through, steps);

    /// <summary>The first node of a kind downwards.</summary>
    public NodeProto? FindDown(NodeProto node, Func<NodeProto, bool> wanted, Func<NodeProto, bool> through, int steps = 8) =>
        Find(node, Consumers, wanted, through, steps);

    private static NodeProto? Find(NodeProto node, Func<NodeProto, IEnumerable<NodeProto>> next, Func<NodeProto, bool> wanted, Func<NodeProto, bool> through, int steps)
    {
        List<NodeProto> front = [node];
        var seen = new HashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        for (var step = 0; step < steps && front.Count > 0; step++)
        {
            var neighbours = front.SelectMany(next).Where(seen.Add).ToList();
            if (neighbours.FirstOrDefault(wanted) is { } found) return found;
            front = [.. neighbours.Where(through)];
        }

        return null;
    }
}
