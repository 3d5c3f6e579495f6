using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Models.Creation;
using Spectre.Console;

namespace Serve.Frontend.Commands;

/// <summary><c>serve models create</c>: writes a model with seeded random weights into the model store. Needs no server.</summary>
internal static class CreateModelCommand
{
    public static Command Create()
    {
        var architecture = new Argument<string>("ARCHITECTURE") { Description = string.Join(", ", ModelCreator.Architectures) };
        architecture.CompletionSources.Add([.. ModelCreator.Architectures]);
        var name = new Option<string?>("--name", "-n") { HelpName = "NAME", Description = "The model's name [default: the architecture's]" };
        var version = new Option<string>("--version", "-v") { HelpName = "VERSION", Description = "Its version", DefaultValueFactory = _ => "1.0" };
        var dtype = new Option<string>("--dtype") { Description = "Precision of the weights", DefaultValueFactory = _ => "float32" };
        dtype.AcceptOnlyFromAmong("float32", "float16");
        var attention = new Option<string?>("--attention") { HelpName = "fused|plain", Description = "Operators: ONNX Runtime's fused ones, or ONNX's own, which every runtime reads [default: fused for float16, plain for float32]" };
        attention.AcceptOnlyFromAmong("fused", "plain");
        var seed = new Option<ulong>("--seed") { HelpName = "N", Description = "Seed of the weights: the same seed, the same model", DefaultValueFactory = _ => 0 };
        var flags = ServerFlags.OfStore();
        var force = new Option<bool>("--force", "-f") { Description = "Replace the version if it exists" };
        var json = new Option<bool>("--json") { Description = "Print what was created as JSON" };
        var command = new DocumentedCommand("create", "Writes a Vision Transformer of the true architecture with seeded random weights into the model store, ready to serve: for sizing and benchmarks without a download. Its answers mean nothing.", """
            serve models create vit_l_16 --dtype float16
            serve models create vit_ti_16 --name tiny --seed 7 --model-store /srv/models
            """) { architecture, name, version, dtype, attention, seed, force, json };
        flags.AddTo(command);
        command.SetAction(arguments =>
        {
            var request = new ModelCreationRequest
            {
                Architecture = arguments.GetRequiredValue(architecture),
                ModelName = arguments.GetValue(name),
                Version = arguments.GetRequiredValue(version),
                ModelStore = flags.Read(arguments).Configuration.ModelStore,
                Precision = arguments.GetValue(dtype) == "float16" ? WeightPrecision.Float16 : WeightPrecision.Float32,
                Form = arguments.GetValue(attention) switch
                {
                    "fused" => OperatorForm.Fused,
                    "plain" => OperatorForm.Plain,
                    _ => null,
                },
                Seed = arguments.GetValue(seed),
                Force = arguments.GetValue(force),
            };
            var screen = new Screen(arguments.InvocationConfiguration.Output);
            using var interruption = new Interruption();
            var model = Write(request, screen, interruption.Token);
            if (arguments.GetValue(json)) screen.Json(JsonSerializer.Serialize(model, CreatedModelJson.Default.CreatedModel));
            else
            {
                screen.Line(string.Create(CultureInfo.InvariantCulture,
                    $"Created {model.Name} {model.Version}: {model.ParameterCount / 1e6:0.0} million parameters, {ModelTables.Bytes(model.TotalBytes)}, in {model.Folder}"));
                screen.Line($"Serve it with: serve register {model.Name} --initial-workers 1");
            }

            return ExitCode.Success;
        });
        return command;
    }

    private static CreatedModel Write(ModelCreationRequest request, Screen screen, CancellationToken cancellation)
    {
        if (!screen.IsTerminal) return ModelCreator.Create(request, null, cancellation);
        return screen.Ansi.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn()).Start(progress =>
        {
            var bar = progress.AddTask(request.Architecture);
            return ModelCreator.Create(request, new Bar(bar), cancellation);
        });
    }

    private sealed class Bar(ProgressTask task) : IProgress<ModelCreationProgress>
    {
        public void Report(ModelCreationProgress value)
        {
            // Reports come from several threads and not in order.
            lock (task)
            {
                task.MaxValue = value.TotalBytes;
                if (value.WrittenBytes > task.Value) task.Value = value.WrittenBytes;
            }
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(CreatedModel))]
internal sealed partial class CreatedModelJson : JsonSerializerContext;
