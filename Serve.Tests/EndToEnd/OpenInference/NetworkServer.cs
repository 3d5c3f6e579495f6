namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>
/// A server whose store holds pretrained networks of others as bare ONNX files: <c>blazeface</c>, <c>basic-pitch</c>,
/// <c>esrgan</c>, <c>silero</c>, <c>minilm</c>.
/// </summary>
public sealed class NetworkServer : IAsyncLifetime
{
    private readonly TemporaryFolder _store = new();
    private ServerFixture? _server;

    internal InferClient Client { get; private set; } = null!;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    /// <summary>A file of the networks'.</summary>
    internal static string Data(string path) => Path.Combine(AppContext.BaseDirectory, "Data", "networks", path);

    public async ValueTask InitializeAsync()
    {
        File.Copy(Data("blazeface/face_detection_front_128x128.onnx"), _store["blazeface.onnx"]);
        File.Copy(Data("basic-pitch/basic_pitch.onnx"), _store["basic-pitch.onnx"]);
        File.Copy(Data("esrgan-slim/esrgan_slim_x2.onnx"), _store["esrgan.onnx"]);
        File.Copy(Data("silero-vad/silero_vad_v5.onnx"), _store["silero.onnx"]);
        MiniLm.Write(_store["minilm.onnx"]);
        _server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--model-store", _store.Path, "--load-models", "all"] });
        foreach (var name in (string[])["blazeface", "basic-pitch", "esrgan", "silero", "minilm"]) await _server.WaitUntilReadyAsync(name);
        Client = new InferClient(_server);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _store.Dispose();
    }
}
