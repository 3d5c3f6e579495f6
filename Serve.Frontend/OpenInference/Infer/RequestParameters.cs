using System.Globalization;
using Serve.Core.Errors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>The types that a parameter's value may have.</summary>
internal enum ParameterKind
{
    Text,
    Whole,
    Boolean,
    Real,
}

/// <summary>A parameter's value.</summary>
/// <param name="Kind">Its type.</param>
/// <param name="Text">As text, which is how a handler gets it.</param>
internal readonly record struct ParameterValue(ParameterKind Kind, string Text)
{
    public static ParameterValue Of(bool value) => new(ParameterKind.Boolean, value ? "true" : "false");

    /// <summary>A whole number that is not negative.</summary>
    /// <exception cref="BadRequestException">It is something else.</exception>
    public ulong Unsigned(string name) =>
        Kind == ParameterKind.Whole && ulong.TryParse(Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new BadRequestException($"parameter '{name}' must be a whole number from 0, not {Shown}");

    /// <summary>A whole number that is not negative and no larger than a 64-bit size.</summary>
    /// <exception cref="BadRequestException">It is something else.</exception>
    public long Size(string name) => Unsigned(name) is <= long.MaxValue and var size ? (long)size : throw new BadRequestException($"parameter '{name}' is too large: {Shown}");

    /// <summary>True or false.</summary>
    /// <exception cref="BadRequestException">It is something else.</exception>
    public bool Boolean(string name) => Kind == ParameterKind.Boolean ? Text == "true" : throw new BadRequestException($"parameter '{name}' must be true or false, not {Shown}");

    /// <summary>A text.</summary>
    /// <exception cref="BadRequestException">It is something else, or too long.</exception>
    public string Name(string name) =>
        Kind == ParameterKind.Text && Text.Length is > 0 and <= TensorRequest.LongestName ? Text : throw new BadRequestException($"parameter '{name}' must be a text of 1 to {TensorRequest.LongestName} characters, not {Shown}");

    private string Shown => Kind == ParameterKind.Text ? $"\"{(Text.Length > 40 ? Text[..40] + "…" : Text)}\"" : Text;
}

/// <summary>What a request is one of: some parameters mean something in one form alone.</summary>
internal enum RequestForm
{
    /// <summary>REST's <c>infer</c>.</summary>
    Rest,

    /// <summary>gRPC.</summary>
    Grpc,

    /// <summary>The generate extension: its answer is JSON, whatever is asked for.</summary>
    Generate,
}

/// <summary>The parameters that mean something to the server; all others are for the model.</summary>
internal static class RequestParameters
{
    private const string Reserved = "triton_";

    /// <summary>Sorts a parameter of a request into it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="name">The parameter's name.</param>
    /// <param name="value">Its value.</param>
    /// <param name="form">What it is a request of.</param>
    /// <exception cref="BadRequestException">It is not of its type, or its name is reserved.</exception>
    public static void Add(TensorRequest request, string name, ParameterValue value, RequestForm form)
    {
        switch (name)
        {
            case "priority":
                request.Priority = value.Unsigned(name);
                return;
            case "timeout":
                request.TimeoutMicroseconds = value.Unsigned(name);
                return;
            case "binary_data_output" when form == RequestForm.Rest:
                request.IsBinaryByDefault = value.Boolean(name);
                return;
            case "triton_enable_empty_final_response" when form == RequestForm.Grpc:
                request.WantsFinalResponse = value.Boolean(name);
                return;
            case "sequence_id" when value.Kind != ParameterKind.Text:
                value.Unsigned(name);
                break;
            case "sequence_start" or "sequence_end":
                value.Boolean(name);
                break;
            case "headers":
                throw new BadRequestException("parameter 'headers' is reserved and must not be set by a client");
        }

        // Names that begin with a colon are the worker link's own.
        if (name.StartsWith(Reserved, StringComparison.Ordinal)) throw new BadRequestException($"parameter keys that begin with '{Reserved}' are reserved: '{ShownText.Of(name)}'");
        if (name.Length is 0 or > TensorRequest.LongestName || name[0] == ':') throw new BadRequestException($"'{ShownText.Of(name)}' cannot be the name of a parameter");
        if (request.Parameters.Count == TensorRequest.MostParameters) throw new BadRequestException($"a request may have at most {TensorRequest.MostParameters} parameters");
        request.Parameters.Add(new(name, value.Text));
    }
}
