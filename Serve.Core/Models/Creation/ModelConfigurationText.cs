using System.Globalization;

namespace Serve.Core.Models.Creation;

/// <summary>The <c>model-config.yaml</c> of a created model: written as text, so that it can explain itself to whoever opens it.</summary>
internal static class ModelConfigurationText
{
    public static string For(VisionTransformerArchitecture architecture, ModelCreationRequest request)
    {
        var precision = request.Precision is WeightPrecision.Float16 ? "float16" : "float32";
        return string.Create(CultureInfo.InvariantCulture, $"""
            # {architecture.Name}, {precision}, random weights from seed {request.Seed}: written by `serve models create`.
            # It costs what the trained network costs; its answers mean nothing. Without an index_to_name.json
            # beside this file, answers name classes by their numbers.
            handler: image_classifier
            modelFile: model.onnx
            batchSize: 8

            # ImageNet's usual preparation, as torchvision does it for this architecture.
            preprocessing:
              resize: {architecture.ResizeTo}
              crop: {architecture.Sizes.ImageSize}
              interpolation: bilinear
              mean: [0.485, 0.456, 0.406]
              std: [0.229, 0.224, 0.225]

            """);
    }
}
