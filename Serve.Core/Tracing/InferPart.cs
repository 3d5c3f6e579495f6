using System.Globalization;

namespace Serve.Core.Tracing;

/// <summary>One of several inferences of a call.</summary>
/// <param name="name">Its span's name.</param>
internal sealed class InferPart(string name) : ISpanDescription
{
    /// <inheritdoc/>
    public bool IsServer => false;

    /// <summary>HTTP status, or the one that belongs to the call's; 0: it has not ended.</summary>
    public int Status { get; set; }

    /// <inheritdoc/>
    public void WriteTo(OtlpSpans span)
    {
        span.Name(name);
        if (Status < 500) return;
        span.Attribute(SpanTags.Error, Status.ToString(CultureInfo.InvariantCulture));
        span.Failed();
    }
}
