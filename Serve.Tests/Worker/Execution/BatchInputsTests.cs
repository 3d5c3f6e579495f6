using Serve.Core.Handlers;
using Serve.Worker.Execution;

namespace Serve.Tests.Worker.Execution;

public sealed class BatchInputsTests
{
    private static readonly ModelSignature Signature = new(
        [new TensorInfo("x", TensorElement.UInt8, [-1, -1])], [new TensorInfo("y", TensorElement.UInt8, [-1, -1])], RowBatching.Dynamic);

    [Fact]
    public void What_a_burst_of_large_rows_took_is_given_back_after_many_small_batches()
    {
        using var inputs = new BatchInputs(Signature);
        using BatchRow large = Row(20 << 20), other = Row(20 << 20), small = Row(1), next = Row(1);
        inputs.Gather([large, other], 2, 2);
        Assert.True(inputs.CapacityBytes >= 40 << 20);

        for (var i = 0; i < 50; i++) inputs.Gather([small, next], 2, 2);
        inputs.Gather([large, other], 2, 2); // it was needed after all
        for (var i = 0; i < 100; i++) inputs.Gather([small, next], 2, 2);
        Assert.True(inputs.CapacityBytes >= 40 << 20);

        inputs.Gather([small, next], 2, 2);
        Assert.InRange(inputs.CapacityBytes, 1, 1 << 20);
    }

    private static BatchRow Row(int bytes)
    {
        var row = new BatchRow(Signature, maxRows: 2);
        row.Inputs.Allocate<byte>("x", bytes).Fill(1);
        row.Inputs.Complete();
        return row;
    }
}
