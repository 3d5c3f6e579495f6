using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>How a client wants its tensors carried.</summary>
internal enum Form
{
    Json,
    Binary,
    Mixed,
}

/// <summary>A plain HTTP client of the protocol, written from its specification.</summary>
internal sealed class InferClient(ServerFixture server)
{
    public const string LengthHeader = "Inference-Header-Content-Length";

    /// <summary>Runs a model.</summary>
    /// <param name="model">Its name; a version may follow as <c>/versions/V</c>.</param>
    /// <param name="inputs">The inputs.</param>
    /// <param name="form">How inputs and outputs are carried; mixed: every other one is binary.</param>
    /// <param name="more">Further members of the request.</param>
    public async Task<InferResult> InferAsync(string model, IReadOnlyList<WireTensor> inputs, Form form = Form.Json, JsonObject? more = null)
    {
        using var message = Request(model, inputs, form, more);
        return Read(await server.SendAsync(message));
    }

    /// <summary>The request.</summary>
    public static HttpRequestMessage Request(string model, IReadOnlyList<WireTensor> inputs, Form form, JsonObject? more)
    {
        var request = more?.DeepClone().AsObject() ?? [];
        if (form != Form.Json)
        {
            request["parameters"] ??= new JsonObject();
            request["parameters"]!["binary_data_output"] ??= true;
        }

        var number = 0;
        return Request(model, inputs, _ => form == Form.Binary || (form == Form.Mixed && number++ % 2 == 0), request);
    }

    /// <summary>The request, some of whose inputs are binary.</summary>
    public static HttpRequestMessage Request(string model, IReadOnlyList<WireTensor> inputs, Func<WireTensor, bool> isBinary, JsonObject request)
    {
        using var binary = new MemoryStream();
        var list = new JsonArray();
        var anyBinary = false;
        foreach (var input in inputs)
        {
            var described = new JsonObject { ["name"] = input.Name, ["shape"] = new JsonArray([.. input.Shape.Select(dimension => JsonValue.Create(dimension))]), ["datatype"] = input.Datatype };
            if (isBinary(input))
            {
                anyBinary = true;
                described["parameters"] = new JsonObject { ["binary_data_size"] = input.Data.Length };
                binary.Write(input.Data);
            }
            else
            {
                described["data"] = Data(input);
            }

            list.Add(described);
        }

        request["inputs"] = list;
        var json = Encoding.UTF8.GetBytes(request.ToJsonString());
        var content = new ByteArrayContent([.. json, .. binary.ToArray()]);
        if (anyBinary) content.Headers.Add(LengthHeader, json.Length.ToString(CultureInfo.InvariantCulture));
        return new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{model}/infer") { Content = content };
    }

    /// <summary>Reads an answer; one with an error has no outputs.</summary>
    public static InferResult Read(Answer answer)
    {
        var jsonBytes = answer.Body.Length;
        if (answer.Headers.TryGetValue(LengthHeader, out var length)) jsonBytes = int.Parse(length, CultureInfo.InvariantCulture);
        var json = JsonDocument.Parse(answer.Body.AsMemory(0, jsonBytes)).RootElement;
        if (answer.Status != HttpStatusCode.OK) return new InferResult(answer, json, []);

        List<WireTensor> outputs = [];
        var at = jsonBytes;
        foreach (var output in json.GetProperty("outputs").EnumerateArray())
        {
            var (name, datatype) = (output.GetProperty("name").GetString()!, output.GetProperty("datatype").GetString()!);
            long[] shape = [.. output.GetProperty("shape").EnumerateArray().Select(dimension => dimension.GetInt64())];
            if (output.TryGetProperty("parameters", out var parameters) && parameters.TryGetProperty("binary_data_size", out var size))
            {
                outputs.Add(new WireTensor(name, datatype, shape, answer.Body[at..(at + size.GetInt32())]));
                at += size.GetInt32();
            }
            else
            {
                outputs.Add(FromData(name, datatype, shape, output.GetProperty("data")));
            }
        }

        Assert.Equal(answer.Body.Length, at);
        return new InferResult(answer, json, outputs);
    }

    private static JsonArray Data(WireTensor tensor) => tensor.Datatype switch
    {
        "BYTES" => [.. tensor.Texts().Select(text => JsonValue.Create(text))],
        "BOOL" => [.. tensor.Data.Select(value => JsonValue.Create(value != 0))],
        "INT8" => Numbers<sbyte>(tensor),
        "INT16" => Numbers<short>(tensor),
        "INT32" => Numbers<int>(tensor),
        "INT64" => Numbers<long>(tensor),
        "UINT8" => Numbers<byte>(tensor),
        "UINT16" => Numbers<ushort>(tensor),
        "UINT32" => Numbers<uint>(tensor),
        "UINT64" => Numbers<ulong>(tensor),
        "FP32" => Numbers<float>(tensor),
        "FP64" => Numbers<double>(tensor),
        _ => throw new InvalidOperationException($"JSON cannot carry {tensor.Datatype}."),
    };

    private static JsonArray Numbers<T>(WireTensor tensor)
        where T : unmanaged => [.. tensor.Elements<T>().Select(value => JsonValue.Create(value))];

    private static WireTensor FromData(string name, string datatype, long[] shape, JsonElement data)
    {
        var items = data.EnumerateArray();
        return datatype switch
        {
            "BYTES" => WireTensor.OfTexts(name, shape, [.. items.Select(item => item.GetString()!)]),
            "BOOL" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetBoolean() ? (byte)1 : (byte)0)]),
            "INT8" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetSByte())]),
            "INT16" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetInt16())]),
            "INT32" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetInt32())]),
            "INT64" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetInt64())]),
            "UINT8" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetByte())]),
            "UINT16" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetUInt16())]),
            "UINT32" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetUInt32())]),
            "UINT64" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetUInt64())]),
            "FP32" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetSingle())]),
            "FP64" => WireTensor.Of(name, datatype, shape, [.. items.Select(item => item.GetDouble())]),
            _ => throw new InvalidOperationException($"JSON cannot carry {datatype}."),
        };
    }
}

/// <summary>An answer of the protocol.</summary>
internal sealed record InferResult(Answer Answer, JsonElement Json, IReadOnlyList<WireTensor> Outputs)
{
    public WireTensor this[string name] => Outputs.Single(output => output.Name == name);

    /// <summary>The error, checked to be of that status.</summary>
    public string Error(HttpStatusCode status)
    {
        Assert.True(status == Answer.Status, $"{Answer.Status} {Answer.Text}");
        Assert.Equal("application/json", Answer.Headers["Content-Type"]);
        return Json.GetProperty("error").GetString()!;
    }
}
