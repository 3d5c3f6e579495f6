using System.Text;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;

namespace Serve.Tests.Core.Models.Archives;

public sealed class ModelManifestTests
{
    [Fact]
    public void A_manifest_of_torch_model_archiver_is_read()
    {
        var manifest = Read("""
            {
              "createdOn": "08/11/2024 17:05:09",
              "runtime": "python",
              "model": {
                "modelName": "resnet-18",
                "serializedFile": "resnet18.onnx",
                "handler": "image_classifier",
                "modelVersion": "1.0",
                "configFile": "config.yaml",
                "requirementsFile": "requirements.txt"
              },
              "archiverVersion": "0.12.0"
            }
            """);

        Assert.Equal(new ModelManifest
        {
            CreatedOn = new DateTime(2024, 11, 8, 17, 5, 9),
            Runtime = "python",
            ModelName = "resnet-18",
            SerializedFile = "resnet18.onnx",
            Handler = "image_classifier",
            ModelVersion = "1.0",
            RequirementsFile = "requirements.txt",
            ConfigFile = "config.yaml",
            ArchiverVersion = "0.12.0",
        }, manifest);
    }

    [Fact]
    public void What_is_written_has_its_shape_and_is_read_back()
    {
        var manifest = new ModelManifest { CreatedOn = new DateTime(2026, 1, 2, 3, 4, 5), ModelName = "m", ModelVersion = "2.0", SerializedFile = "m.onnx", Handler = "tensor", ArchiverVersion = "0.1.0" };

        var json = Encoding.UTF8.GetString(manifest.Write()).ReplaceLineEndings("\n");

        Assert.Equal("""
            {
              "createdOn": "02/01/2026 03:04:05",
              "runtime": "onnx",
              "model": {
                "modelName": "m",
                "serializedFile": "m.onnx",
                "handler": "tensor",
                "modelVersion": "2.0"
              },
              "archiverVersion": "0.1.0"
            }
            """.ReplaceLineEndings("\n"), json);
        Assert.Equal(manifest, Read(json));
    }

    [Fact]
    public void Unknown_missing_and_empty_fields_do_not_matter()
    {
        Assert.Equal(new ModelManifest { Runtime = "python" }, Read("{}"));
        Assert.Equal(new ModelManifest { Runtime = "python", ModelVersion = "1.0" }, Read("""{"x": [1], "model": {"modelVersion": 1.0, "handler": "", "extensions": {}}}"""));
        Assert.Equal(new ModelManifest { Runtime = "python" }, Read("""{"model": null, "createdOn": "yesterday"}"""));
    }

    [Theory]
    [InlineData("[]", "m.json must be a JSON object")]
    [InlineData("{\"model\": 5}", "m.json: model must be a JSON object")]
    [InlineData("{\"model\": {\"handler\": [1]}}", "m.json: handler must be text, not Array")]
    [InlineData("{\"runtime\": \"\\ud800\"}", "m.json: a value is not text")]
    [InlineData("{\n  \"model\": {,}\n}", "m.json:2:13: is not JSON")]
    public void Damage_is_named_with_its_place(string json, string message) =>
        Assert.Contains(message, Assert.Throws<InvalidModelException>(() => Read(json)).Message, StringComparison.Ordinal);

    private static ModelManifest Read(string json) => ModelManifest.Read(Encoding.UTF8.GetBytes(json), "m.json");
}
