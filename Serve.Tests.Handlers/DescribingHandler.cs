using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Serve.Core.Handlers;

namespace Serve.Tests.Handlers;

/// <summary>
/// Echoes, and says of itself how often and what its <c>handlerOptions.mood</c> is: <c>throw</c> throws instead, <c>half</c>
/// stops in the middle, <c>mute</c> writes nothing, <c>die</c> ends the process.
/// </summary>
public sealed class DescribingHandler : TestHandler, IDescribesItself
{
    private int _calls;

    public void Describe(Utf8JsonWriter json)
    {
        var mood = Context.Configuration.HandlerOptions.GetValueOrDefault("mood", "fine");
        switch (mood)
        {
            case "throw":
                throw new InvalidOperationException("I would rather not.");
            case "die":
                Process.GetCurrentProcess().Kill();
                break;
            case "mute":
                return;
        }

        json.WriteStartObject();
        json.WriteString("mood", mood);
        if (mood == "half") return;
        json.WriteNumber("calls", Volatile.Read(ref _calls));
        json.WriteEndObject();
    }

    protected override void Answer(HandlerCall call, int batchSize)
    {
        Interlocked.Increment(ref _calls);
        call.Response.Body.Write(call.Request.Input.Data.Span);
    }
}
