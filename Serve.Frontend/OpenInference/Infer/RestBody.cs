using System.Globalization;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Protocol;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// Takes a request's body apart: JSON, and after it the tensors of the binary extension, which stay where they are. The
/// payload that the worker gets is the body as it arrived, its JSON a gap, or, where all tensors were in the JSON, what was
/// parsed from it.
/// </summary>
internal static class RestBody
{
    /// <summary>How many bytes of JSON stand before the binary tensors; in requests and in answers.</summary>
    public const string LengthHeader = "Inference-Header-Content-Length";

    /// <summary>How long the body's JSON is.</summary>
    /// <param name="request">The request.</param>
    /// <param name="bodyBytes">The body's length.</param>
    /// <param name="isRaw">Whether there is none, and the body is the tensor.</param>
    /// <exception cref="BadRequestException">The header says nothing that can be.</exception>
    public static int JsonBytes(HttpRequest request, int bodyBytes, out bool isRaw)
    {
        isRaw = false;
        if (!request.Headers.TryGetValue(LengthHeader, out var values)) return bodyBytes;
        if (values is not [{ } text] || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var length))
        {
            throw new BadRequestException($"{LengthHeader} must be a whole number from 0, not '{values}'");
        }

        if (length > bodyBytes) throw new BadRequestException($"{LengthHeader} is {length}, more than the body's {bodyBytes} bytes");
        isRaw = length == 0 && bodyBytes > 0;
        return (int)length;
    }

    /// <summary>Reads a request whose body has arrived.</summary>
    /// <param name="payload">Its body; replaced where another one is the worker's.</param>
    /// <param name="jsonBytes">From <see cref="JsonBytes"/>.</param>
    /// <param name="mostBytes">The most that the tensors may have.</param>
    /// <exception cref="ServeException">400, 413.</exception>
    public static TensorRequest Read(ref RequestPayload payload, int jsonBytes, long mostBytes)
    {
        var request = new TensorRequest();
        var parsed = RequestPayload.Rent(0);
        try
        {
            RequestJsonReader.Read(payload.Body.Span[..jsonBytes], request, parsed, mostBytes);
            if (PlaceBinary(request, jsonBytes, payload.Body.Length))
            {
                // Behind what is there already, rather than the larger part before it.
                var at = payload.Body.Length;
                if (parsed.Body.Length > 0)
                {
                    if (at + (long)parsed.Body.Length > mostBytes) throw new PayloadTooLargeException(mostBytes);
                    parsed.Body.Span.CopyTo(payload.GetSpan(parsed.Body.Length));
                    payload.Advance(parsed.Body.Length);
                }

                foreach (var input in request.Inputs) if (input.Source == TensorSource.Parsed) input.Offset += at;
            }
            else
            {
                (payload, parsed) = (parsed, payload);
            }

            return request;
        }
        finally
        {
            parsed.Release();
        }
    }

    /// <summary>Reads a request whose body is the tensor of a model's only input, a batch of one.</summary>
    /// <param name="payload">The body; replaced by another one for BYTES.</param>
    /// <param name="target">The version it is for.</param>
    /// <param name="signature">That version's.</param>
    /// <exception cref="BadRequestException">The model's input cannot be told from its size alone.</exception>
    public static TensorRequest ReadRaw(ref RequestPayload payload, ModelVersion target, ModelSignature signature)
    {
        if (signature.Inputs is not [var input]) throw new BadRequestException($"raw input requires a model with one input; model '{target.Name}' has {signature.Inputs.Count}");
        var request = new TensorRequest { IsBinaryByDefault = true };
        var shape = input.Shape.ToArray();
        if (signature.Batching == RowBatching.Dynamic) shape[0] = 1;
        if (input.ElementType == TensorElement.String)
        {
            payload = AsElement(payload);
            if (shape.Any(dimension => dimension is not (1 or -1))) throw new BadRequestException($"raw input of BYTES requires the shape [1]; input '{input.Name}' of model '{target.Name}' has [{string.Join(',', input.Shape)}]");
            Array.Fill(shape, 1);
        }
        else
        {
            Infer(shape, payload.Body.Length / input.ElementType.SizeBytes(), input, target);
        }

        request.Inputs.Add(new TensorInput { Name = input.Name, Element = input.ElementType, Shape = shape, Source = TensorSource.Binary, Length = payload.Body.Length });
        return request;
    }

    // The dimension that is left open follows from the number of elements; a remainder is found when the sizes are compared.
    private static void Infer(Span<long> shape, long elements, TensorInfo input, ModelVersion target)
    {
        var (open, others) = (-1, 1L);
        for (var i = 0; i < shape.Length; i++)
        {
            if (shape[i] >= 0) others *= Math.Max(1, shape[i]);
            else if (open < 0) open = i;
            else throw new BadRequestException($"the shape of a raw input must not have more than one variable dimension; input '{input.Name}' of model '{target.Name}' has [{string.Join(',', input.Shape)}]");
        }

        if (open >= 0) shape[open] = elements / others;
    }

    private static RequestPayload AsElement(RequestPayload body)
    {
        var element = RequestPayload.Rent(body.Body.Length + Serve.Core.Tensors.BytesElements.PrefixBytes);
        Serve.Core.Tensors.BytesElements.Write(element, body.Body.Span);
        body.Release();
        return element;
    }

    // Each is where the one before it ends. False: there are none.
    private static bool PlaceBinary(TensorRequest request, int at, int end)
    {
        var any = false;
        foreach (var input in request.Inputs)
        {
            if (input.Source != TensorSource.Binary) continue;
            any = true;
            if (input.Length > end - at) throw new BadRequestException($"unexpected size for input '{input.Name}', expecting {input.Length} bytes, and {end - at} are left of the body");
            input.Offset = at;
            at += input.Length;
        }

        return at == end ? any : throw new BadRequestException($"unexpected additional input data: {end - at} bytes follow the request's last tensor");
    }
}
