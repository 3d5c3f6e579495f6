using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Serve.Core.Onnx.Format;

namespace Serve.Core.Onnx;

/// <summary>
/// Writes a model and its data file. Weights are made and written in pieces by all cores at once, each piece at its
/// own place in the file: the memory in use is a few megabytes a core, whatever the size of the model, and the bytes
/// do not depend on the number of cores.
/// </summary>
internal static class OnnxModelWriter
{
    /// <summary>Large enough that a system call is nothing beside making the values, small enough for the cache.</summary>
    private const int ElementsPerPiece = 256 * 1024;

    /// <summary>Writes <c>folder/fileName</c> and the model's data file into an existing folder.</summary>
    /// <param name="model">What to write.</param>
    /// <param name="source">The values of its weights.</param>
    /// <param name="folder">Where to.</param>
    /// <param name="fileName">The model file's name.</param>
    /// <param name="written">Told the number of bytes of weights written since it was told last, from any thread.</param>
    /// <param name="cancellation">Stops between two pieces.</param>
    /// <exception cref="IOException">The file exists or the disk is full, which shows before the first weight is made.</exception>
    public static void Write(
        OnnxModel model, IWeightSource source, string folder, string fileName, Action<long>? written, CancellationToken cancellation)
    {
        WriteData(model, source, Path.Combine(folder, model.DataFileName), written, cancellation);

        using var file = new FileStream(Path.Combine(folder, fileName), FileMode.CreateNew, FileAccess.Write);
        model.Proto.WriteTo(file);
    }

    private static void WriteData(OnnxModel model, IWeightSource source, string path, Action<long>? written, CancellationToken cancellation)
    {
        using var file = File.OpenHandle(
            path, FileMode.CreateNew, FileAccess.Write, FileShare.None, preallocationSize: model.DataFileBytes);
        RandomAccess.SetLength(file, model.DataFileBytes);

        var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellation };
        try
        {
            Parallel.ForEach(
                Pieces(model.Weights),
                options,
                () => new PieceBuffer(),
                (piece, _, buffer) =>
                {
                    var bytes = buffer.Make(source, piece);
                    RandomAccess.Write(file, bytes, piece.Weight.OffsetBytes + (piece.FirstElement * piece.Weight.ElementBytes));
                    written?.Invoke(bytes.Length);
                    return buffer;
                },
                _ => { });
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]); // one thread's failure is the cause; the others met the same
        }
    }

    private static IEnumerable<Piece> Pieces(IReadOnlyList<OnnxWeight> weights)
    {
        foreach (var weight in weights)
        {
            for (long first = 0; first < weight.ElementCount; first += ElementsPerPiece)
            {
                yield return new(weight, first, (int)Math.Min(ElementsPerPiece, weight.ElementCount - first));
            }
        }
    }

    private readonly record struct Piece(OnnxWeight Weight, long FirstElement, int Count);

    /// <summary>The two forms of one piece. Belongs to one thread at a time.</summary>
    private sealed class PieceBuffer
    {
        private readonly float[] _singles = new float[ElementsPerPiece];
        private readonly Half[] _halves = new Half[ElementsPerPiece];

        public ReadOnlySpan<byte> Make(IWeightSource source, Piece piece)
        {
            var singles = _singles.AsSpan(0, piece.Count);
            source.Fill(piece.Weight, piece.FirstElement, singles);
            if (piece.Weight.Type is TensorProto.Types.DataType.Float)
            {
                return MemoryMarshal.AsBytes(singles);
            }

            var halves = _halves.AsSpan(0, piece.Count);
            for (var i = 0; i < singles.Length; i++)
            {
                halves[i] = (Half)singles[i];
            }

            return MemoryMarshal.AsBytes(halves);
        }
    }
}
