using System.Text.Json;
using Serve.Management.Http;

namespace Serve.Management.Overview;

/// <summary>An overview, written out once for all who listen.</summary>
internal sealed class OverviewSample(OverviewBody body)
{
    private readonly Lazy<ReadOnlyMemory<byte>> _document = new(() => PrettyJson.Encode(body, OverviewJson.Default.OverviewBody));
    private readonly Lazy<ReadOnlyMemory<byte>> _event = new(() => (byte[])[.. "data: "u8, .. JsonSerializer.SerializeToUtf8Bytes(body, OverviewJson.Default.OverviewBody), .. "\n\n"u8]);

    /// <summary>What it says.</summary>
    public OverviewBody Body => body;

    /// <summary>As a JSON document.</summary>
    public ReadOnlyMemory<byte> Document => _document.Value;

    /// <summary>As one event of a stream (HTML, section 9.2.5): the JSON on a line of its own.</summary>
    public ReadOnlyMemory<byte> Event => _event.Value;
}
