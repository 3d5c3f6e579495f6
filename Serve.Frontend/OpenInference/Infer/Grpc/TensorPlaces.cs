using System.Text;
using Serve.Core.Models;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>
/// Where the messages of ModelInfer lie: whole, in memory that the model's workers read. Which method a message is for is not
/// known when it arrives; that it names a model, as all those of this method do first, is enough, because any other reads it
/// from there as from anywhere.
/// </summary>
/// <param name="registry">What is served.</param>
internal sealed class TensorPlaces(ModelRegistry registry)
{
    // Field number and wire type 2.
    private const byte ModelTag = (ModelInferRequest.ModelNameFieldNumber << 3) | 2;
    private const byte VersionTag = (ModelInferRequest.ModelVersionFieldNumber << 3) | 2;

    // The tag and a length of one byte.
    private const int FieldHead = 2;
    private const int MostNameBytes = 0x7F;

    /// <inheritdoc cref="MessagePlace"/>
    public RequestPayload? Place(ReadOnlySpan<byte> head, int length)
    {
        var model = LengthOf(head, ModelTag);
        if (model < 0 || head.Length <= FieldHead + model) return null;
        var rest = head[(FieldHead + model)..];
        var version = rest[0] == VersionTag ? LengthOf(rest, VersionTag) : 0;
        if (version < 0) return null;
        Span<char> names = stackalloc char[2 * MostNameBytes];
        var ofModel = names[..Encoding.UTF8.GetChars(head.Slice(FieldHead, model), names)];
        var ofVersion = names[ofModel.Length..];
        ofVersion = ofVersion[..(version == 0 ? 0 : Encoding.UTF8.GetChars(rest.Slice(FieldHead, version), ofVersion))];
        return registry.Find(ofModel, ofVersion)?.Bodies?.TryTake(length) is { } room ? RequestPayload.Rent(length, room) : null;
    }

    // Of a text whose length is one byte; -1: it is no such field, or is not whole.
    private static int LengthOf(ReadOnlySpan<byte> field, byte tag) =>
        field.Length >= FieldHead && field[0] == tag && field[1] <= MostNameBytes && field.Length >= FieldHead + field[1] ? field[1] : -1;
}
