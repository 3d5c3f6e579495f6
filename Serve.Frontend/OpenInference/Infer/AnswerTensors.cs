using System.Text;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Tensors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>A tensor of an answer, its bytes where the worker's answer has them.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Element">Its element type.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Data">Its bytes.</param>
/// <param name="Requested">What the request says about it; null: nothing.</param>
internal readonly record struct AnswerTensor(string Name, TensorElement Element, long[] Shape, ReadOnlyMemory<byte> Data, RequestedOutput? Requested);

/// <summary>
/// The tensors of a worker's answer, or of one of its parts; classes in place of those whose classes are wanted. Valid until
/// the answer is disposed of.
/// </summary>
internal static class AnswerTensors
{
    private const int LongestErrorText = 4096;

    /// <summary>Reads them.</summary>
    /// <param name="answer">A worker's.</param>
    /// <param name="request">What it answers.</param>
    /// <param name="target">The version that answered.</param>
    /// <param name="signature">That version's.</param>
    /// <param name="isFirst">Whether it is an answer or its first part, which alone has a status and a content type.</param>
    /// <exception cref="ServeException">The answer is an error, or no tensors.</exception>
    public static List<AnswerTensor> Read(InferenceResponse answer, TensorRequest request, ModelVersion target, ModelSignature signature, bool isFirst = true)
    {
        var body = answer.Body;
        if (answer.Status >= 400) throw new ServeException(answer.Status, "PredictionException", Encoding.UTF8.GetString(body.Span[..Math.Min(body.Length, LongestErrorText)]));
        if (isFirst && answer.ContentType != TensorListWriter.ContentType) throw new InternalServerException($"The handler of model '{target.Name}' declares tensors and answered with none (content type {answer.ContentType ?? "unknown"}).");
        try
        {
            var list = new TensorListReader(body.Span);
            var tensors = new List<AnswerTensor>(list.Count);
            while (list.TryRead(out var tensor)) tensors.Add(Read(tensor, body, request, target, signature));
            return tensors;
        }
        catch (FormatException e)
        {
            throw new InternalServerException($"The answer of model '{target.Name}' is no list of tensors: {e.Message}", e);
        }
    }

    private static AnswerTensor Read(in ListedTensor listed, ReadOnlyMemory<byte> body, TensorRequest request, ModelVersion target, ModelSignature signature)
    {
        var name = listed.Name;
        var tensor = new AnswerTensor(name, listed.ElementType, listed.Shape, body.Slice(listed.Offset, listed.Data.Length), request.Find(name));
        if (tensor.Requested is not { Classes: > 0 and var classes }) return tensor;

        // As the model's configuration is told (ModelConfigReport): only a dynamic dimension is a batch there, and labels are those of a single output.
        return Classification.Of(tensor, (int)classes, signature.Batching == RowBatching.Dynamic, signature.Outputs.Count == 1 ? target.Labels : []);
    }
}
