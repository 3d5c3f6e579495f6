using System.Collections;
using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>A request's headers, made into strings when a handler looks at them: most do not.</summary>
internal sealed class RunHeaders : IReadOnlyList<KeyValuePair<string, string>>
{
    private readonly List<KeyValuePair<string, string>> _read = [];
    private ReadOnlyMemory<byte> _frame;
    private bool _isShared;
    private bool _isRead;

    public int Count => Read().Count;

    public KeyValuePair<string, string> this[int index] => Read()[index];

    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => Read().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Points at a Run's body, which must stay until <see cref="Clear"/>. A Run without headers need not be pointed at.</summary>
    /// <param name="frame">The Run's body.</param>
    /// <param name="isShared">Whether its payload lies in shared memory.</param>
    public void Attach(ReadOnlyMemory<byte> frame, bool isShared) => (_frame, _isShared) = (frame, isShared);

    public void Clear()
    {
        _frame = default;
        _isRead = false;
        _read.Clear();
    }

    private List<KeyValuePair<string, string>> Read()
    {
        if (!_isRead && !_frame.IsEmpty)
        {
            RunFrame.Parse(_frame.Span, _isShared).ReadHeaders(_read);
            _isRead = true;
        }

        return _read;
    }
}
