using System.Text;

namespace Serve.Worker.Execution;

/// <summary>Shapes as people read them: <c>[?, 3, 224, 224]</c>.</summary>
internal static class ShapeText
{
    public static string Of(ReadOnlySpan<long> shape)
    {
        var text = new StringBuilder("[");
        foreach (var dimension in shape)
        {
            if (text.Length > 1) text.Append(", ");
            if (dimension < 0) text.Append('?');
            else text.Append(dimension);
        }

        return text.Append(']').ToString();
    }
}
