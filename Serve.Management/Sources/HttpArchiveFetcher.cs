using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models.Sources;

namespace Serve.Management.Sources;

/// <summary>
/// Fetches archives over HTTP. Every redirect is checked as the first URL was, and the address of every connection at the
/// moment when it is made, so that neither a redirect nor a name that changes its address leads anywhere else.
/// </summary>
/// <param name="configuration">What is allowed, how large and how long.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Where it logs.</param>
public sealed partial class HttpArchiveFetcher(ServerConfiguration configuration, TimeProvider time, ILogger log) : IArchiveFetcher
{
    private const int MaxRedirects = 5;
    private const int CopyBytes = 128 << 10;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(15);

    private readonly AllowedUrls _allowed = new(configuration.AllowedUrls);
    private readonly HashSet<string> _privateHosts = new(configuration.AllowedPrivateHosts, StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public async Task FetchAsync(Uri url, Stream target, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(url);
        ArgumentNullException.ThrowIfNull(target);
        var shown = AllowedUrls.Shown(url.OriginalString);
        using var timeout = new CancellationTokenSource(configuration.DownloadTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
        var start = time.GetTimestamp();
        try
        {
            using var client = Client();
            using var response = await FollowAsync(client, url, either.Token).ConfigureAwait(false);
            var bytes = await CopyAsync(response, target, shown, either.Token).ConfigureAwait(false);
            LogFetched(log, shown, bytes, time.GetElapsedTime(start).TotalSeconds);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw Failed(shown, $"It took longer than {configuration.DownloadTimeout.TotalSeconds} s (downloadTimeout)");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw Failed(shown, $"The connection could not be made within {ConnectTimeout.TotalSeconds} s");
        }
        catch (HttpRequestException error) when (Cause<PrivateAddressException>(error) is { } cause)
        {
            LogPrivate(log, cause.Host, cause.Address, shown);
            throw Failed(shown, $"The host {cause.Host} has no public address; name it in allowedPrivateHosts if it is meant");
        }
        catch (Exception error) when (error is HttpRequestException or HttpIOException)
        {
            throw Failed(shown, (error.InnerException is SocketException socket ? socket.Message : error.Message).TrimEnd('.'));
        }
    }

    /// <summary>No proxy, since that would hide the address; no cookies, no decompression, no redirects of its own.</summary>
    private HttpClient Client() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = ConnectTimeout,
        ConnectCallback = ConnectAsync,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private async Task<HttpResponseMessage> FollowAsync(HttpClient client, Uri url, CancellationToken cancellation)
    {
        for (var hop = 0; ; hop++)
        {
            var response = await client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            try
            {
                var shown = AllowedUrls.Shown(url.OriginalString);
                if (response.StatusCode is HttpStatusCode.OK) return response;
                if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308)) throw Failed(shown, $"The server answered {(int)response.StatusCode} {response.ReasonPhrase}");
                if (response.Headers.Location is not { } location) throw Failed(shown, "It redirects to nowhere");
                if (hop == MaxRedirects) throw Failed(shown, $"It redirects more than {MaxRedirects} times");

                url = Redirected(url, location, shown);
            }
            catch
            {
                response.Dispose();
                throw;
            }

            response.Dispose();
        }
    }

    private Uri Redirected(Uri from, Uri location, string shown)
    {
        var to = new Uri(from, location);
        if (to.Scheme != Uri.UriSchemeHttps && to.Scheme != from.Scheme) throw Failed(shown, $"It redirects to {AllowedUrls.Shown(to.AbsoluteUri)}, which is not https");

        _allowed.Check(to, to.AbsoluteUri);
        return to;
    }

    private async Task<long> CopyAsync(HttpResponseMessage response, Stream target, string shown, CancellationToken cancellation)
    {
        if (response.Content.Headers.ContentLength > configuration.MaxDownloadSize) throw TooLarge(shown);

        var source = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            var buffer = new byte[CopyBytes];
            var copied = 0L;
            int read;
            // A thread that serves sockets may bring the bytes; files are not written on it.
            while ((read = await ReadAsync(source, buffer, shown, cancellation).ConfigureAwait(ConfigureAwaitOptions.ForceYielding)) > 0)
            {
                copied += read;
                if (copied > configuration.MaxDownloadSize) throw TooLarge(shown);
                await target.WriteAsync(buffer.AsMemory(0, read), cancellation).ConfigureAwait(false);
            }

            return copied;
        }
    }

    // A connection that is reset is an IOException, as is a disk that is full; only here it is known which.
    private static async Task<int> ReadAsync(Stream source, byte[] buffer, string shown, CancellationToken cancellation)
    {
        try
        {
            return await source.ReadAsync(buffer, cancellation).ConfigureAwait(false);
        }
        catch (IOException error)
        {
            throw Failed(shown, (error.InnerException ?? error).Message.TrimEnd('.'));
        }
    }

    /// <summary>Resolves the host itself, checks what came, and connects to that: no second look-up can give another address.</summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        host = host.Trim('[', ']');
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, cancellation).ConfigureAwait(false);
        if (!_privateHosts.Contains(host) && addresses.FirstOrDefault(address => !AddressRules.IsPublic(address)) is { } forbidden) throw new PrivateAddressException(host, forbidden);

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellation).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private DownloadArchiveException TooLarge(string shown) => Failed(shown, $"It has more than {configuration.MaxDownloadSize} bytes (maxDownloadSize)");

    private static DownloadArchiveException Failed(string shown, string reason) => new($"Failed to download archive from: {shown}. {reason}.");

    private static T? Cause<T>(Exception? error)
        where T : Exception
    {
        while (error is not null and not T) error = error.InnerException;
        return (T?)error;
    }

    [LoggerMessage(70, LogLevel.Information, "fetched {Url}: {Bytes} bytes in {Seconds:0.0} s")]
    private static partial void LogFetched(ILogger log, string url, long bytes, double seconds);

    [LoggerMessage(71, LogLevel.Warning, "{Host} has the address {Address}, which is not public: nothing is fetched from {Url}")]
    private static partial void LogPrivate(ILogger log, string host, IPAddress address, string url);

    /// <summary>A connection that must not be made.</summary>
    private sealed class PrivateAddressException(string host, IPAddress address) : IOException($"{host} has the address {address}")
    {
        public string Host => host;

        public IPAddress Address => address;
    }
}
