namespace Serve.Worker.Execution;

/// <summary>Shapes as people read them: <c>[?, 3, 224, 224]</c>.</summary>
internal static class ShapeText
{
    public static string Of(IEnumerable<long> shape) => $"[{string.Join(", ", shape.Select(d => d < 0 ? "?" : d.ToString()))}]";

    public static string Of(ReadOnlySpan<long> shape) => Of(shape.ToArray());
}
