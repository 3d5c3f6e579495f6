using Serve.Core.Configuration;

namespace Serve.Tests.Worker;

/// <summary>Model folders with the handlers of Serve.Tests.Handlers, for workers and for whole servers.</summary>
internal sealed class HandlerModel : IDisposable
{
    /// <summary>An empty folder below the temporary one.</summary>
    public HandlerModel() => Folder = Directory.CreateTempSubdirectory("serve-model").FullName;

    /// <summary>A folder with the assembly of the test handlers.</summary>
    public static HandlerModel WithTestHandlers()
    {
        var model = new HandlerModel();
        CopyTestHandlers(model.Folder);
        return model;
    }

    public string Folder { get; }

    /// <summary>The <c>handler</c> key for a class of Serve.Tests.Handlers.</summary>
    public static string Key(string type) => $"Serve.Tests.Handlers.dll:Serve.Tests.Handlers.{type}";

    public static ModelConfiguration Configuration(string type, int batchSize = 8, params (string Name, string Value)[] options) => new()
    {
        Handler = Key(type),
        BatchSize = batchSize,
        HandlerOptions = options.ToDictionary(option => option.Name, option => option.Value),
    };

    /// <summary>Puts the assembly of the test handlers into a model's folder.</summary>
    public static void CopyTestHandlers(string folder) => Copy(Path.Combine(AppContext.BaseDirectory, "handlers", "test"), folder);

    /// <summary>Puts the example handler of the documentation, with its model-config.yaml, into a model's folder.</summary>
    public static void CopyExample(string folder) => Copy(Path.Combine(AppContext.BaseDirectory, "handlers", "echo"), folder);

    /// <summary>A file in the model's folder.</summary>
    public string File(string name) => Path.Combine(Folder, name);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from)) System.IO.File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
