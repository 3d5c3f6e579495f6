using Serve.Management.Overview;

namespace Serve.Frontend.Commands.Top;

/// <summary>Reads a server's overviews for as long as somebody wants them, and finds it again when it was gone.</summary>
/// <param name="client">The server.</param>
/// <param name="gone">Told what is wrong when it is gone; null when it is there.</param>
internal sealed class OverviewReader(ServerClient client, Action<string?> gone)
{
    // Events come once a second: a server that says nothing for so long is stopped, or the way to it is.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(1);

    /// <summary>Overviews as they come, until it is cancelled.</summary>
    /// <exception cref="CommandException">The server cannot be reached at first, or refuses.</exception>
    public async IAsyncEnumerable<(OverviewBody Overview, string Json)> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        for (var wasThere = false; ;)
        {
            var connection = await ConnectAsync(wasThere, cancellation);
            if (connection is null) continue;
            using (connection)
            using (var lines = new StreamReader(await connection.Content.ReadAsStreamAsync(cancellation)))
            {
                (wasThere, _) = (true, Tell(null));
                while (await NextAsync(lines, cancellation) is { } json)
                {
                    yield return (ServerClient.Read(json, OverviewJson.Default.OverviewBody, client.ManagementAddress), json);
                }
            }

            await RestAsync($"The server at {client.ManagementAddress} has ended the connection.", cancellation);
        }
    }

    private async Task<HttpResponseMessage?> ConnectAsync(bool again, CancellationToken cancellation)
    {
        try
        {
            return await client.OpenAsync("/overview", "text/event-stream", cancellation);
        }
        catch (CommandException e) when (again)
        {
            await RestAsync(e.Message.Split('\n')[0], cancellation);
            return null;
        }
    }

    private async Task RestAsync(string why, CancellationToken cancellation)
    {
        Tell(why);
        await Task.Delay(BetweenTries, cancellation);
    }

    private bool Tell(string? why)
    {
        gone(why);
        return true;
    }

    // An event is one line of data and an empty one. Null: the stream has ended, as it should or not.
    private static async Task<string?> NextAsync(StreamReader lines, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Silence);
        try
        {
            while (await lines.ReadLineAsync(patience.Token) is { } line)
            {
                if (line.StartsWith("data: ", StringComparison.Ordinal)) return line["data: ".Length..];
            }

            return null;
        }
        catch (Exception e) when ((e is IOException or HttpRequestException or OperationCanceledException) && !cancellation.IsCancellationRequested)
        {
            return null;
        }
    }
}
