using System.Text.Json;
using Serve.Core.Errors;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>An input or output as a configuration describes it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Datatype">Its datatype as requests name it, <c>FP32</c>; null: any.</param>
/// <param name="Dims">Its dimensions without that of the batch, where there is one; null: any.</param>
internal sealed record ExpectedTensor(string Name, string? Datatype, IReadOnlyList<long>? Dims)
{
    private const string TypePrefix = "TYPE_";

    /// <summary>Reads one.</summary>
    /// <exception cref="BadRequestException">It is none.</exception>
    public static ExpectedTensor Read(JsonElement tensor)
    {
        if (tensor.ValueKind != JsonValueKind.Object) throw new BadRequestException("input and output must be lists of objects");
        var name = tensor.Text("name") ?? throw new BadRequestException("an input or output of the config has no name");
        return new ExpectedTensor(name, tensor.Text("data_type") is { } type ? DatatypeOf(type) : null, tensor.TryGetProperty("dims", out var dims) ? DimsOf(name, dims) : null);
    }

    private static string DatatypeOf(string type) => type switch
    {
        "TYPE_STRING" => "BYTES",
        _ when type.StartsWith(TypePrefix, StringComparison.Ordinal) => type[TypePrefix.Length..],
        _ => throw new BadRequestException($"data_type must be one of the TYPE_ names, not '{type}'"),
    };

    private static long[] DimsOf(string name, JsonElement dims)
    {
        if (dims.ValueKind != JsonValueKind.Array) throw new BadRequestException($"dims of '{name}' must be a list of whole numbers");
        return [.. dims.EnumerateArray().Select(dim => dim.AsWide() ?? throw new BadRequestException($"dims of '{name}' must be a list of whole numbers"))];
    }
}
