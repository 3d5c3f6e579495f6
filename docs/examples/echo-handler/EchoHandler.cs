using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace EchoHandler;

/// <summary>
/// Answers each request with what it sent. A batch handler computes by itself and is given whole batches; a handler in front
/// of an ONNX model implements <see cref="IModelHandler"/> instead.
/// </summary>
public sealed class Echo : IBatchHandler
{
    private string _greeting = "";

    // Once, before the worker is ready. An exception here fails the load, and its message says why in the model's description.
    public void Load(HandlerContext context)
    {
        _greeting = context.Configuration.HandlerOptions.GetValueOrDefault("greeting", "Hello");
        if (_greeting.Length == 0) throw new InvalidModelException("handlerOptions.greeting must not be empty.");
    }

    // For each batch; by as many threads at once as the model has instances.
    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        foreach (var call in batch)
        {
            var input = call.Request.Input;
            if (input.Data.IsEmpty)
            {
                // This client gets a 400; the others of the batch are not concerned.
                call.Fail(new BadRequestException("The body is empty: there is nothing to echo."));
                continue;
            }

            call.Response.ContentType = "application/json";
            call.Response.Headers.Add(new("X-Echo-Batch", batch.Count.ToString()));
            using var json = new Utf8JsonWriter(call.Response.Body);
            json.WriteStartObject();
            json.WriteString("greeting", _greeting);
            json.WriteString("echo", input.Text);
            json.WriteString("from", call.Request.Header("User-Agent") ?? "someone");
            json.WriteEndObject();
        }
    }

    public void Dispose()
    {
    }
}
