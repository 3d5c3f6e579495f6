using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;
using Serve.Worker.Execution;
using Serve.Worker.Tensors;

namespace Serve.Tests.Worker;

public sealed class TensorIntakeTests
{
    private static readonly ModelSignature Signature = new(
        [new TensorInfo("x", TensorElement.UInt8, [-1, 2])], [new TensorInfo("y", TensorElement.UInt8, [-1, 2])], RowBatching.Dynamic);

    [Theory]
    [InlineData(1, false, 3, true)]
    [InlineData(1, false, 0, true)]
    [InlineData(1, true, 1, true)]
    [InlineData(1, true, 3, false)]
    [InlineData(1, true, 0, false)]
    [InlineData(4, true, 4, true)]
    [InlineData(4, true, 5, false)]
    [InlineData(4, true, 0, false)]
    public void A_device_with_engines_for_so_many_rows_gets_no_more(int batchSize, bool boundsRows, int rows, bool isTaken)
    {
        var intake = new TensorIntake(Signature, batchSize, boundsRows);
        using var row = new BatchRow(Signature, batchSize);
        var request = new HandlerRequest(1, [new RequestPart("x", TensorText.Of(TensorElement.UInt8, [rows, 2]), new byte[2 * rows])], []) { CarriesTensors = true };

        if (isTaken) intake.Write(request, row.Inputs);
        else Assert.Throws<BadRequestException>(() => intake.Write(request, row.Inputs));
    }
}
