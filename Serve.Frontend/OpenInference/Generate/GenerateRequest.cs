using System.Text;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Frontend.OpenInference.Generate;

/// <summary>
/// Reads the flat JSON of the generate extension: a key that is the name of an input is that tensor, one value or a list of
/// values; <c>id</c> is the request's; everything else, and what is in <c>parameters</c>, is a parameter.
/// </summary>
internal static class GenerateRequest
{
    /// <summary>Reads a request.</summary>
    /// <param name="body">A JSON object.</param>
    /// <param name="signature">The model's tensors.</param>
    /// <param name="payload">Elements are added to its body.</param>
    /// <param name="mostBytes">The most that it may have then.</param>
    /// <exception cref="ServeException">400, 413.</exception>
    public static TensorRequest Read(JsonElement body, ModelSignature signature, RequestPayload payload, long mostBytes)
    {
        var request = new TensorRequest();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in body.EnumerateObject())
        {
            if (!names.Add(member.Name)) throw new BadRequestException($"failed to parse the request JSON buffer: the key '{ShownText.Of(member.Name)}' stands twice");
            if (TensorRequestCheck.Find(signature.Inputs, member.Name) is { } input) request.Inputs.Add(ReadInput(member.Value, input, payload, mostBytes));
            else if (member.Name == "id") request.Id = member.Value.ValueKind == JsonValueKind.String && member.Value.GetString()!.Length <= TensorRequest.LongestName ? member.Value.GetString() : throw new BadRequestException("'id' must be a text");
            else if (member is { Name: "parameters", Value.ValueKind: JsonValueKind.Object }) foreach (var parameter in member.Value.EnumerateObject()) Add(request, parameter);
            else Add(request, member);
        }

        return request;
    }

    private static TensorInput ReadInput(JsonElement value, TensorInfo wanted, RequestPayload payload, long mostBytes)
    {
        var isList = value.ValueKind == JsonValueKind.Array;
        var elements = isList ? value.GetArrayLength() : 1;
        var rank = wanted.Shape.Count;
        if (isList && rank == 0) throw new BadRequestException($"input '{wanted.Name}' is one value, not a list");

        // The list is the last dimension; of those before it there is one each.
        var shape = new long[rank];
        Array.Fill(shape, 1);
        if (rank > 0) shape[^1] = elements;
        var input = new TensorInput { Name = wanted.Name, Element = wanted.ElementType, Shape = shape };
        var text = Encoding.UTF8.GetBytes(isList ? value.GetRawText() : $"[{value.GetRawText()}]");
        var json = new Utf8JsonReader(text);
        json.Read();
        JsonTensorReader.Read(ref json, 0, text.Length, input, payload, mostBytes);
        input.Source = TensorSource.Parsed;
        return input;
    }

    private static void Add(TensorRequest request, JsonProperty parameter)
    {
        var value = parameter.Value;
        RequestParameters.Add(
            request,
            parameter.Name,
            value.ValueKind switch
            {
                JsonValueKind.True or JsonValueKind.False => ParameterValue.Of(value.GetBoolean()),
                JsonValueKind.String => new ParameterValue(ParameterKind.Text, value.GetString()!),
                JsonValueKind.Number => new ParameterValue(value.TryGetInt64(out _) || value.TryGetUInt64(out _) ? ParameterKind.Whole : ParameterKind.Real, value.GetRawText()),

                // stop: ["a", "b"] and such: the handler reads JSON.
                JsonValueKind.Array or JsonValueKind.Object => new ParameterValue(ParameterKind.Text, value.GetRawText()),
                _ => throw new BadRequestException($"parameter '{ShownText.Of(parameter.Name)}' must not be null"),
            },
            RequestForm.Generate);
    }
}
