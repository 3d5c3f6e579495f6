namespace Serve.Core.Configuration.TorchServe;

/// <summary>A model that TorchServe's <c>load_models</c> names: <c>x.mar</c> or <c>name=x.mar</c>.</summary>
/// <param name="Name">The name that it gets; null: the one in its manifest.</param>
/// <param name="Url">What is loaded.</param>
internal sealed record StartupModel(string? Name, string Url)
{
    /// <summary>Reads one of the list.</summary>
    public static StartupModel Parse(string text) => text.IndexOf('=', StringComparison.Ordinal) is >= 0 and var at ? new(text[..at], text[(at + 1)..]) : new(null, text);

    /// <summary>Whether this may be what <c>models</c> has under a name.</summary>
    /// <param name="model">The name.</param>
    /// <param name="archive">The archive.</param>
    public bool Means(string model, string archive) => Name is null ? Url == archive || Url == model : Name == model && Url == archive;

    /// <inheritdoc/>
    public override string ToString() => Name is null ? Url : $"{Name}={Url}";
}
