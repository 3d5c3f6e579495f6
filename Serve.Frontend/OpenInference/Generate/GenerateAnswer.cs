using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Frontend.OpenInference.Generate;

/// <summary>Writes a response of the generate extension: the outputs by their names, one of one element as that element.</summary>
internal static class GenerateAnswer
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes one.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="request">What is answered.</param>
    /// <param name="version">Who answers.</param>
    /// <param name="signature">What it answers with.</param>
    /// <param name="answer">An answer, or a part of one.</param>
    /// <param name="isFirst">Whether it is the answer's first part.</param>
    /// <exception cref="Core.Errors.ServeException">The answer is an error, or no tensors.</exception>
    public static void Write(IBufferWriter<byte> target, TensorRequest request, ModelVersion version, ModelSignature signature, InferenceResponse answer, bool isFirst)
    {
        // The same numbers and texts as everywhere: the answer in the usual form is read and cut.
        using var usual = new PooledBuffer(1024);
        AnswerJsonWriter.Write(usual, request, version.Name, version.Version, [], AnswerTensors.Read(answer, request, version, signature, isFirst));
        using var document = JsonDocument.Parse(usual.Written);
        using var json = new Utf8JsonWriter(target, Options);
        json.WriteStartObject();
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.Name != "outputs")
            {
                member.WriteTo(json);
                continue;
            }

            foreach (var output in member.Value.EnumerateArray())
            {
                var data = output.GetProperty("data");
                json.WritePropertyName(output.GetProperty("name").GetString()!);
                (data.GetArrayLength() == 1 ? data[0] : data).WriteTo(json);
            }
        }

        json.WriteEndObject();
    }
}
