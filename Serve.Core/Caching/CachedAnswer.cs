using Serve.Core.Models;

namespace Serve.Core.Caching;

/// <summary>An answer as it is kept: nobody changes it, and any number of responses may show it.</summary>
internal sealed class CachedAnswer
{
    // The objects around it.
    private const int OverheadBytes = 320;

    private readonly int _status;
    private readonly string? _contentType;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _headers;
    private readonly byte[] _body;

    /// <summary>Copies what a response has, which stays the caller's.</summary>
    public CachedAnswer(InferenceResponse response)
    {
        (_status, _contentType, _headers, _body) = (response.Status, response.ContentType, response.Headers, response.Body.ToArray());
        SizeBytes = _body.Length + OverheadBytes + (2 * _headers.Sum(static header => header.Key.Length + header.Value.Length));
    }

    /// <summary>What keeping it takes.</summary>
    public long SizeBytes { get; }

    /// <summary>Whether it may be given again: errors are not kept.</summary>
    public bool IsSuccess => _status is >= 200 and < 300;

    /// <summary>A response that shows it.</summary>
    public InferenceResponse Respond()
    {
        var response = InferenceResponse.Rent(_status, _contentType, _headers, default);
        response.Borrow(_body);
        return response;
    }
}
