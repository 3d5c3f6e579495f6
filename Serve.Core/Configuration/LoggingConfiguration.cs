namespace Serve.Core.Configuration;

/// <summary>How and where logs are written: the section <c>logging</c> of the server's configuration.</summary>
public sealed record LoggingConfiguration
{
    /// <summary><c>text</c>, a line for people; <c>json</c>, an object on each line. Default text.</summary>
    public string Format { get; init; } = "text";

    /// <summary>Form of the access log's lines, where the format is text: <c>serve</c>, or <c>torchserve</c>, TorchServe's to the letter. Default serve.</summary>
    public string AccessFormat { get; init; } = "serve";

    /// <summary>Folder for TorchServe's files: <c>access_log.log</c>, <c>ts_log.log</c>, <c>model_log.log</c>. Null, the default: everything goes to standard output.</summary>
    public string? Folder { get; init; }

    /// <summary>A file that would become larger is put aside and a new one begun, as at midnight (UTC). Bytes. Default 100 MiB, TorchServe's.</summary>
    public long FileSize { get; init; } = 100L << 20;

    /// <summary>How many files of each log that were put aside are kept; the oldest go first. Default 10.</summary>
    public int Files { get; init; } = 10;
}
