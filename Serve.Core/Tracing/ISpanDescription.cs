namespace Serve.Core.Tracing;

/// <summary>What the span of an inference says besides its times. It is read when the inference has ended, on the writer's thread.</summary>
public interface ISpanDescription
{
    /// <summary>Whether it is what a client asked for: its span has the kind server.</summary>
    bool IsServer { get; }

    /// <summary>Writes the span's name, its attributes and its status.</summary>
    /// <param name="span">Where, while this span is being written.</param>
    void WriteTo(OtlpSpans span);
}
