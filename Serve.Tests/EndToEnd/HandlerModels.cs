using System.Net;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd;

/// <summary>Models made of the handlers in Serve.Tests.Handlers, in the store of a running server.</summary>
internal static class HandlerModels
{
    /// <summary>Writes a model's folder into a store.</summary>
    /// <param name="store">The store's folder.</param>
    /// <param name="name">The model's name.</param>
    /// <param name="handler">The handler's class in Serve.Tests.Handlers.</param>
    /// <param name="settings">More lines of its <c>model-config.yaml</c>.</param>
    /// <param name="version">Its version.</param>
    /// <returns>The model's folder.</returns>
    public static string Write(string store, string name, string handler, string settings = "", string version = "1.0")
    {
        var folder = Directory.CreateDirectory(Path.Combine(store, name, version)).FullName;
        HandlerModel.CopyTestHandlers(folder);
        File.WriteAllText(Path.Combine(folder, "model-config.yaml"), $"handler: {HandlerModel.Key(handler)}\n{settings}\n");
        return folder;
    }

    /// <summary>Writes a model's folder and registers it with running workers.</summary>
    public static async Task ServeAsync(this ServerFixture server, string name, string handler, string settings = "", int workers = 1, string version = "1.0")
    {
        Write(server.ModelStore, name, handler, settings, version);
        var answer = await server.RegisterAsync($"{name}/{version}", workers);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }

    /// <summary>Registers what is in the store and waits for its workers. The caller looks at the status.</summary>
    public static Task<Answer> RegisterAsync(this ServerFixture server, string url, int workers = 1) =>
        server.ManageAsync(HttpMethod.Post, $"/models?url={url}&initial_workers={workers}&synchronous=true");
}
