using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Serve.Core.Configuration.Yaml;

/// <summary>YamlDotNet's parser, with every exception that a strange text provokes in it (it knows several) as a syntax error.</summary>
internal sealed class GuardedParser(TextReader text) : IParser
{
    private readonly Parser _parser = new(text);

    public ParsingEvent? Current => _parser.Current;

    public bool MoveNext()
    {
        try
        {
            return _parser.MoveNext();
        }
        catch (Exception error) when (error is not YamlException and not OutOfMemoryException)
        {
            var mark = _parser.Current?.End ?? Mark.Empty;
            throw new YamlException(mark, mark, error.Message, error);
        }
    }
}
