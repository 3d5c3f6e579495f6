using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Handlers;
using Serve.Worker.BuiltIn;

namespace Serve.Worker.Execution;

/// <summary>
/// Tries whether a model's first dimension is a batch: two rows of different content must be answered together as each is
/// alone. It is not where a model computes across it and keeps it, as a softmax over axis 0 or a recurrent network whose first
/// dimension is time: names and shapes do not show that.
/// </summary>
/// <param name="signature">The model's, batched dynamically.</param>
/// <param name="execution">Runs it.</param>
/// <param name="rent">A row.</param>
/// <param name="giveBack">Takes one back.</param>
internal sealed class BatchProbe(ModelSignature signature, BatchExecution execution, Func<BatchRow> rent, Action<BatchRow> giveBack)
{
    // A kernel adds in another order for another number of rows; in 16 bits that shows in the third digit.
    private const double RelativeTolerance = 0.01;
    private const double AbsoluteTolerance = 0.001;

    /// <summary>Runs both rows alone and together.</summary>
    /// <returns>Why the first dimension cannot be taken for a batch; null: it can.</returns>
    /// <exception cref="OnnxRuntimeException">Memory does not suffice.</exception>
    public string? FindFault()
    {
        try
        {
            return FindFault(dynamicDimension: 2); // so that there is something to mix up
        }
        catch (OnnxRuntimeException e) when (!RuntimeFailure.IsOutOfMemory(e))
        {
            // Such a shape need not be one that the model takes.
        }

        try
        {
            return FindFault(dynamicDimension: 1);
        }
        catch (OnnxRuntimeException e) when (!RuntimeFailure.IsOutOfMemory(e))
        {
            return $"Whether the model's first dimension is a batch could not be tried, so it is not taken for one; if it is, set batchDimension: first. ({RuntimeFailure.Describe(e)})";
        }
    }

    private string? FindFault(int dynamicDimension)
    {
        var (one, other) = (rent(), rent());
        try
        {
            ProbeRow.Write(signature, one.Inputs, dynamicDimension, seed: 1);
            ProbeRow.Write(signature, other.Inputs, dynamicDimension, seed: 2);
            var alone = (Run([one], one), Run([other], other));
            var together = (Run([one, other], one), Run([one, other], other));
            for (var i = 0; i < signature.Outputs.Count; i++)
            {
                if (AreAlike(i, alone.Item1[i], together.Item1[i]) && AreAlike(i, alone.Item2[i], together.Item2[i])) continue;
                return $"The model's output '{signature.Outputs[i].Name}' for a request depends on what else is in its batch, so its first dimension is not taken for a batch; if it is one, set batchDimension: first.";
            }

            return null;
        }
        finally
        {
            giveBack(one);
            giveBack(other);
        }
    }

    private Content[] Run(BatchRow[] rows, BatchRow wanted)
    {
        using var outputs = execution.Run(rows, CancellationToken.None);
        return [.. signature.Outputs.Select((output, i) => Content.Of(wanted.Outputs, output, i))];
    }

    private bool AreAlike(int output, Content alone, Content together)
    {
        if (!alone.Shape.AsSpan().SequenceEqual(together.Shape) || !alone.Texts.AsSpan().SequenceEqual(together.Texts)) return false;
        return signature.Outputs[output].ElementType switch
        {
            TensorElement.Float32 => AreNear<float>(alone.Bytes, together.Bytes, static value => value),
            TensorElement.Float64 => AreNear<double>(alone.Bytes, together.Bytes, static value => value),
            TensorElement.Float16 => AreNear<Half>(alone.Bytes, together.Bytes, static value => (double)value),
            TensorElement.BFloat16 => AreNear<ushort>(alone.Bytes, together.Bytes, static value => BitConverter.Int32BitsToSingle(value << 16)),
            _ => alone.Bytes.AsSpan().SequenceEqual(together.Bytes),
        };
    }

    private static bool AreNear<T>(byte[] alone, byte[] together, Func<T, double> number)
        where T : unmanaged
    {
        ReadOnlySpan<T> some = MemoryMarshal.Cast<byte, T>(alone);
        ReadOnlySpan<T> others = MemoryMarshal.Cast<byte, T>(together);
        for (var i = 0; i < some.Length; i++)
        {
            var (one, other) = (number(some[i]), number(others[i]));
            if (one.Equals(other)) continue; // infinities, and what is no number in both
            if (!(Math.Abs(one - other) <= AbsoluteTolerance + (RelativeTolerance * Math.Abs(one)))) return false;
        }

        return true;
    }

    /// <summary>An output of a row, kept beyond the run.</summary>
    private readonly record struct Content(long[] Shape, byte[] Bytes, string[] Texts)
    {
        public static Content Of(RowOutputs outputs, TensorInfo output, int index) => new(
            outputs.WholeShape(index).ToArray(),
            output.ElementType == TensorElement.String ? [] : outputs.Bytes(index).ToArray(),
            output.ElementType == TensorElement.String ? [.. outputs.Strings(output.Name)] : []);
    }
}
