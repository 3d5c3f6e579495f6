using Microsoft.AspNetCore.Http;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>GET /models/{model}/{version}/workers/log?lines=50</c>: what a version's workers wrote of late, and the last one that was lost.</summary>
internal sealed class WorkerLog(ModelRegistry registry)
{
    private const int DefaultLines = 50;

    public Task HandleAsync(HttpContext context)
    {
        var lines = RequestParameters.FromQuery(context).Integer("lines", least: 1) ?? DefaultLines;
        var (workers, loss) = registry.Resolve(context.Model(), context.Version()).WorkerOutput(lines);
        var body = new WorkerLogBody
        {
            Workers = [.. workers.Select(static worker => new WorkerTailBody { Id = worker.Id, Pid = worker.Pid, State = worker.State, Lines = Lines(worker.Output) })],
            LastLost = loss is null ? null : new LostWorkerBody { Id = loss.Id, Pid = loss.Pid, Time = loss.Time, Reason = loss.Reason, Lines = Lines(loss.Output) },
        };
        return PrettyJson.WriteAsync(context, StatusCodes.Status200OK, body, ManagementJson.Default.WorkerLogBody);
    }

    private static List<LogLineBody> Lines(IReadOnlyList<WorkerLine> lines) => [.. lines.Select(static line => new LogLineBody(line.Time, line.Text))];
}

/// <summary>What the workers of a version wrote of late.</summary>
public sealed record WorkerLogBody
{
    public required IReadOnlyList<WorkerTailBody> Workers { get; init; }

    /// <summary>The worker that ended last without having been asked to.</summary>
    public LostWorkerBody? LastLost { get; init; }
}

/// <summary>What a worker wrote of late, oldest first.</summary>
public sealed record WorkerTailBody
{
    public required string Id { get; init; }

    public int? Pid { get; init; }

    public required WorkerState State { get; init; }

    public required IReadOnlyList<LogLineBody> Lines { get; init; }
}

/// <summary>A worker that was lost, and what it had written before.</summary>
public sealed record LostWorkerBody
{
    public required string Id { get; init; }

    public int? Pid { get; init; }

    public required DateTimeOffset Time { get; init; }

    public required string Reason { get; init; }

    public required IReadOnlyList<LogLineBody> Lines { get; init; }
}

/// <summary>A line of a worker's output.</summary>
public sealed record LogLineBody(DateTimeOffset Time, string Text);
