using System.Diagnostics;
using System.Net.Sockets;
using Serve.LoadGenerator.Http;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.Polling;

namespace Serve.LoadGenerator.Load;

/// <summary>
/// One thread with all of its connections: sends prepared bytes, reads statuses, counts. Closed loop: a client sends its next
/// request when its last has ended. Open loop: requests arrive by a schedule, and one that finds no connection free waits.
/// It can rest between stretches of load; its connections stay open meanwhile.
/// </summary>
internal sealed class LoadThread : IDisposable
{
    // How often timeouts and connections to be made again are looked at; nothing else waits for it.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    // A client whose connection is refused, or lost before the first answer, does not try at once again: it would do nothing else.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastAnswers = TimeSpan.FromSeconds(5);

    private readonly LoadOptions _options;
    private readonly TargetMix _mix;
    private readonly int _clients;
    private readonly int _mostConnections;
    private readonly PoissonSchedule? _schedule;
    private readonly ISocketPoller _poller = OperatingSystem.IsLinux() ? new EpollPoller() : new SelectPoller();
    private readonly List<LoadClient> _connections = [];
    private readonly Stack<LoadClient> _free = [];
    private readonly Queue<long> _backlog = [];
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly WindowRecorder _recorder;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _rests = new();
    private readonly AutoResetEvent _goesOn = new(initialState: false);
    private int _busy;
    private volatile Census? _census;

    // Nothing new is sent: it is about to rest, rests, or ends.
    private volatile bool _isHeld;
    private volatile bool _isEnding;

    public LoadThread(LoadOptions options, int number, int threads)
    {
        _options = options;
        _mix = new TargetMix(options.Targets, number * 7919);
        _clients = Share(options.Clients, number, threads);
        _mostConnections = Math.Max(1, Share(options.MostConnections, number, threads));
        if (options.ArrivalsPerSecond > 0) _schedule = new PoissonSchedule(options.ArrivalsPerSecond / threads, options.Seed, Stopwatch.GetTimestamp(), number);
        _recorder = new WindowRecorder(options.Targets.Count, options.Objective);
        _thread = new Thread(RunGuarded) { IsBackground = true, Name = $"load {number}" };
    }

    /// <summary>Begins, or goes on after <see cref="WaitUntilItRests"/>.</summary>
    public void Start()
    {
        if (!_isHeld)
        {
            _thread.Start();
            return;
        }

        _rests.Reset();
        _isHeld = false;
        _goesOn.Set();
    }

    /// <summary>Sends nothing new from now on.</summary>
    public void Hold() => _isHeld = true;

    /// <summary>After <see cref="Hold"/>: waits for the last answers, each of which has its timeout.</summary>
    public void WaitUntilItRests() => _rests.Wait();

    /// <summary>What was seen since the last call.</summary>
    /// <exception cref="InvalidOperationException">It has ended by itself.</exception>
    public LoadWindow TakeWindow() => _recorder.Take(_backlog.Count); // its owner may be changing it: any moment's length is as good

    /// <summary>How long each request has been under way that has arrived and has no answer yet: from its scheduled arrival, in a closed loop since it was sent.</summary>
    public LatencyHistogram Unanswered()
    {
        var census = new Census();
        _census = census;
        while (!census.Done.Wait(Tick))
        {
            // Then nothing is under way.
            if (_rests.IsSet || !_thread.IsAlive) return new LatencyHistogram();
        }

        return census.Ages;
    }

    /// <summary>Sends nothing new, waits for the last answers a little, and ends.</summary>
    public void Stop()
    {
        (_isEnding, _isHeld) = (true, true);
        _goesOn.Set();
        if (_thread.IsAlive) _thread.Join();
    }

    public void Dispose()
    {
        Stop();
        foreach (var client in _connections) client.Connection.Dispose();
        _poller.Dispose();
        _rests.Dispose();
        _goesOn.Dispose();
    }

    private static int Share(int all, int number, int of) => (all / of) + (number < all % of ? 1 : 0);

    private void RunGuarded()
    {
        try
        {
            Run();
        }
        catch (Exception e)
        {
            _recorder.Broke(e);
        }
        finally
        {
            _rests.Set();
        }
    }

    private void Run()
    {
        for (var i = 0; i < _clients; i++) Open(AddClient(), hasRequest: true, scheduled: 0);
        var nextTick = Stopwatch.GetTimestamp();
        _schedule?.Restart(nextTick);
        long end = 0;
        while (true)
        {
            var now = Stopwatch.GetTimestamp();
            if (_isEnding)
            {
                if (end == 0) end = now + Ticks(LastAnswers);
                if (_busy == 0 || now > end) return;
            }
            else if (_isHeld && _busy == 0)
            {
                Rest();
                continue;
            }

            if (now >= nextTick)
            {
                LookAtClocks(now);
                nextTick = now + Ticks(Tick);
            }

            if (!_isHeld) SendArrivals(now);
            if (_census is { } census) Count(census, now);
            Poll(nextTick);
        }
    }

    private void Count(Census census, long now)
    {
        _census = null;
        foreach (var scheduled in _backlog) census.Ages.Record(Stopwatch.GetElapsedTime(scheduled, now));
        foreach (var client in _connections.Where(client => client.HasRequest)) census.Ages.Record(Stopwatch.GetElapsedTime(client.Scheduled == 0 ? client.Since : client.Scheduled, now));
        census.Done.Set();
    }

    private void Rest()
    {
        _backlog.Clear();
        _rests.Set();
        _goesOn.WaitOne();
        if (_isEnding) return;

        // What the server has closed meanwhile must not be used.
        while (_poller.Wait(TimeSpan.Zero) is > 0 and var count) HandleEvents(count);
        var now = Stopwatch.GetTimestamp();
        _schedule?.Restart(now);
        if (_schedule is not null) return;
        foreach (var client in _connections)
        {
            if (!client.HasRequest && client.ConnectAfter == 0) GoOn(client, now);
        }
    }

    private void Poll(long nextTick)
    {
        var now = Stopwatch.GetTimestamp();
        var until = _schedule is null || _isHeld ? nextTick : Math.Min(nextTick, _schedule.Next);
        var count = _poller.Wait(until > now ? Stopwatch.GetElapsedTime(now, until) : TimeSpan.Zero);
        _recorder.Waited(Stopwatch.GetTimestamp() - now);
        HandleEvents(count);
    }

    private void HandleEvents(int count)
    {
        for (var e = 0; e < count; e++) Handle(_connections[_poller.Tag(e)]);
    }

    // ---- arrivals of an open loop ----

    private void SendArrivals(long now)
    {
        if (_schedule is null) return;
        while (_schedule.Next <= now)
        {
            _backlog.Enqueue(_schedule.Next);
            _schedule.Advance();
        }

        while (_backlog.TryPeek(out var scheduled) && TakeFree() is { } client)
        {
            _backlog.Dequeue();
            if (client.Connection.Socket is null) Open(client, hasRequest: true, scheduled);
            else Send(client, scheduled, Stopwatch.GetTimestamp());
        }
    }

    private LoadClient? TakeFree()
    {
        if (_free.TryPop(out var client)) return client;
        return _connections.Count < _mostConnections ? AddClient() : null;
    }

    // ---- one client ----

    private LoadClient AddClient()
    {
        var client = new LoadClient(new LoadConnection(_options.Server, _connections.Count));
        _connections.Add(client);
        return client;
    }

    private void Open(LoadClient client, bool hasRequest, long scheduled)
    {
        (client.HasRequest, client.Scheduled, client.Since) = (hasRequest, scheduled, Stopwatch.GetTimestamp());
        client.ConnectAfter = 0;
        if (hasRequest) _busy++;
        try
        {
            client.Connection.Connect();
            Watch(client);
        }
        catch (SocketException e)
        {
            Fail(client, FaultOf(e.SocketErrorCode), $"{_options.Server}: {e.Message}");
        }
    }

    private void Watch(LoadClient client)
    {
        client.Connection.WatchesWriting = true;
        client.IsWatched = true;
        _poller.Watch(client.Connection.Socket!, forWriting: true, client.Connection.Tag);
    }

    private void Send(LoadClient client, long scheduled, long now)
    {
        _busy++;
        SendOn(client, scheduled, now);
    }

    private void SendOn(LoadClient client, long scheduled, long now)
    {
        var (target, request) = _mix.Next();
        (client.HasRequest, client.Target, client.Scheduled, client.Since) = (true, target, scheduled == 0 ? now : scheduled, now);
        if (scheduled != 0) _recorder.SentLate(Stopwatch.GetElapsedTime(scheduled, now));
        CheckSent(client, client.Connection.Begin(request));
    }

    private void CheckSent(LoadClient client, SocketError error)
    {
        if (error != SocketError.Success)
        {
            Fail(client, FaultOf(error), $"The request could not be sent: {error}.");
            return;
        }

        var connection = client.Connection;
        if (connection.WatchesWriting == !connection.IsSent) return;
        connection.WatchesWriting = !connection.IsSent;
        _poller.Change(connection.Socket!, connection.WatchesWriting, connection.Tag);
    }

    private void Handle(LoadClient client)
    {
        var connection = client.Connection;

        // Closed by an event before this one.
        if (connection.Socket is null) return;
        try
        {
            if (connection.IsConnecting)
            {
                var error = connection.FinishConnect();
                if (error == SocketError.Success) Connected(client);
                else Fail(client, FaultOf(error), $"{_options.Server}: {error}.");
                return;
            }

            if (connection.IsBusy && !connection.IsSent)
            {
                CheckSent(client, connection.Send());
                if (connection.Socket is null) return;
            }

            Receive(client);
        }
        catch (MalformedResponseException e)
        {
            Fail(client, LoadFault.Malformed, e.Message);
        }
    }

    private void Connected(LoadClient client)
    {
        if (client.HasRequest && !_isHeld)
        {
            SendOn(client, client.Scheduled, Stopwatch.GetTimestamp());
            return;
        }

        if (client.HasRequest) _busy--;
        client.HasRequest = false;
        CheckSent(client, SocketError.Success);
        GoOn(client, Stopwatch.GetTimestamp());
    }

    private void Receive(LoadClient client)
    {
        var connection = client.Connection;
        var error = connection.Receive(_buffer, out var isClosed);
        if (error != SocketError.Success) Fail(client, FaultOf(error), $"The connection was lost: {error}.");
        else if (connection.IsBusy && connection.Response.IsComplete) Answered(client, isClosed);
        else if (isClosed) Fail(client, LoadFault.Closed, "The server closed the connection before its answer was complete.");
    }

    private void Answered(LoadClient client, bool isClosed)
    {
        var response = client.Connection.Response;
        var now = Stopwatch.GetTimestamp();
        _recorder.Answered(client.Target, response.Status, Stopwatch.GetElapsedTime(client.Scheduled, now), response.BodyStart);
        var keeps = response.KeepsAlive && client.Connection.IsSent && !isClosed;
        client.Connection.End();
        client.HasRequest = false;
        _busy--;
        if (!keeps) Close(client);
        GoOn(client, now);
    }

    // What the client does next, with or without a connection.
    private void GoOn(LoadClient client, long now)
    {
        if (_schedule is not null)
        {
            BeIdle(client, now);
            return;
        }

        if (_isHeld) return;
        if (client.Connection.Socket is null) Open(client, hasRequest: true, scheduled: 0);
        else Send(client, scheduled: 0, now);
    }

    private void BeIdle(LoadClient client, long now)
    {
        if (!_isHeld && _backlog.TryDequeue(out var scheduled))
        {
            if (client.Connection.Socket is null) Open(client, hasRequest: true, scheduled);
            else Send(client, scheduled, now);
            return;
        }

        _free.Push(client);
    }

    private void Fail(LoadClient client, LoadFault fault, string words)
    {
        var hadRequest = client.HasRequest;
        if (hadRequest)
        {
            _recorder.Failed(fault, words);
            _busy--;
            client.HasRequest = false;
        }

        var pauses = !client.Connection.HasAnswered;
        Close(client);

        // An idle connection that the server closes is no error: it lies among the free ones, and connects when it is needed.
        if (!hadRequest) return;
        if (pauses) client.ConnectAfter = Stopwatch.GetTimestamp() + Ticks(Pause);
        else GoOn(client, Stopwatch.GetTimestamp());
    }

    private void Close(LoadClient client)
    {
        if (client.Connection.Socket is { } socket && client.IsWatched) _poller.Forget(socket);
        client.IsWatched = false;
        client.Connection.Close();
    }

    private void LookAtClocks(long now)
    {
        foreach (var client in _connections)
        {
            if (client.ConnectAfter > 0 && now >= client.ConnectAfter)
            {
                client.ConnectAfter = 0;
                GoOn(client, now);
            }
            else if (client.HasRequest && Stopwatch.GetElapsedTime(client.Since, now) > _options.Timeout)
            {
                Fail(client, LoadFault.Timeout, $"There was no answer within {_options.Timeout.TotalSeconds:0.###} s.");
            }
        }
    }

    private static LoadFault FaultOf(SocketError error) => error is SocketError.ConnectionRefused or SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.AddressNotAvailable ? LoadFault.Refused
        : error is SocketError.TimedOut ? LoadFault.Timeout
        : LoadFault.Closed;

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    /// <summary>A question to the thread, which alone knows what is under way.</summary>
    private sealed class Census
    {
        public LatencyHistogram Ages { get; } = new();

        public ManualResetEventSlim Done { get; } = new();
    }
}
