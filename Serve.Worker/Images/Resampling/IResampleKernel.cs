namespace Serve.Worker.Images.Resampling;

/// <summary>
/// The inner loops, written once for each instruction set. All give the same bits.
/// Implementations are empty structs, so that generic code over them compiles to direct calls, and are compiled
/// optimized at once: unoptimized vector code would make the first pictures a hundred times slower.
/// </summary>
internal unsafe interface IResampleKernel
{
    /// <summary>Readable bytes that a row needs after the pixels that an output uses, and writable ones after any output row.</summary>
    const int SlackBytes = 64;

    /// <summary>
    /// Filters two rows along x: output pixels <paramref name="from"/> to <paramref name="to"/> of both. The rows may be the same.
    /// Reads up to <see cref="SlackBytes"/> past the last pixel of the last block, and writes up to as many past the last output.
    /// </summary>
    static abstract void Horizontal(AxisPlan plan, byte* row0, byte* row1, byte* output0, byte* output1, int from, int to);

    /// <summary>
    /// Filters along y: one output row of <paramref name="bytes"/> bytes from a ring of rows, <paramref name="stride"/> apart,
    /// where input row r stands at index r and <paramref name="mask"/>. Writes up to <see cref="SlackBytes"/> more.
    /// </summary>
    static abstract void Vertical(AxisPlan plan, int output, byte* ring, nint stride, int mask, byte* row, int bytes);
}
