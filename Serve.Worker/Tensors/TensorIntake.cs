using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;
using Serve.Worker.Execution;

namespace Serve.Worker.Tensors;

/// <summary>
/// Takes a request's tensors into its row, in the place of a handler: checked against the model, and copied once, from the
/// frame that they came in to where ONNX Runtime reads them.
/// </summary>
/// <param name="signature">The model's.</param>
/// <param name="batchSize">The most rows in one batch; with 1, a request's tensors are not rows of anything and run as they are.</param>
/// <param name="boundsRows">Whether the device takes 1 to <paramref name="batchSize"/> rows and no other number.</param>
internal sealed class TensorIntake(ModelSignature signature, int batchSize, bool boundsRows = false)
{
    private readonly ModelSignature _signature = boundsRows ? signature : signature.ForRequests(batchSize);
    private readonly bool _isAlwaysWhole = signature.Batching == RowBatching.Dynamic && batchSize == 1 && !boundsRows;

    /// <summary>Writes the row.</summary>
    /// <exception cref="BadRequestException">Names, datatypes, shapes or lengths are not those that the model takes.</exception>
    public void Write(HandlerRequest request, RowInputs inputs)
    {
        CheckOutputs(request);
        SignatureCheck.Check(_signature, request);
        inputs.IsWhole = _isAlwaysWhole;
        Span<long> room = stackalloc long[TensorShape.MostDimensions];
        for (var i = 0; i < request.Parts.Count; i++)
        {
            var part = request.Parts[i];
            TensorText.TryRead(part.ContentType, out _, room, out var rank);
            if (i == 0 && _signature.Batching == RowBatching.Dynamic)
            {
                inputs.Rows = (int)Math.Clamp(room[0], 1, int.MaxValue);
                inputs.IsWhole = room[0] == 0 && !boundsRows; // a batch of none, which cannot be part of another
            }

            inputs.Take(inputs.Find(part.Name), room[..rank], part.Data);
        }
    }

    private void CheckOutputs(HandlerRequest request)
    {
        for (var i = 0; i < request.Headers.Count; i++)
        {
            var (key, name) = request.Headers[i];
            if (key == HandlerTensors.OutputHeader && !signature.Outputs.Any(output => output.Name == name))
            {
                throw new BadRequestException($"The model has no output '{name}'; its outputs are {string.Join(", ", signature.Outputs.Select(output => $"'{output.Name}'"))}.");
            }
        }
    }
}
