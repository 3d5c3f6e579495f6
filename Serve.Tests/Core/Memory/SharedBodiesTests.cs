using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Serve.Core.Memory;
using Serve.Core.Protocol;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Memory;

public sealed class SharedBodiesTests
{
    private const int Length = 8 << 20;
    private const int Most = Length / 8;

    private readonly SharedBodies _bodies;

    public SharedBodiesTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "This system has no memfd.");
        _bodies = SharedBodies.TryCreate(Length)!;
    }

    [Fact]
    public void Bodies_are_put_there_once_a_worker_reads_them_and_if_they_are_neither_small_nor_very_large()
    {
        Assert.Null(_bodies.TryTake(SharedBodies.LeastBytes));
        _bodies.Use();
        Assert.Null(_bodies.TryTake(SharedBodies.LeastBytes - 1));
        Assert.Null(_bodies.TryTake(Most + 1));
        Assert.NotNull(_bodies.TryTake(SharedBodies.LeastBytes));
        Assert.NotNull(_bodies.TryTake(Most));
        _bodies.Close();
        Assert.Null(_bodies.TryTake(Most));
    }

    [Fact]
    public void A_reader_sees_what_is_written_there_and_room_that_was_released_is_taken_again()
    {
        _bodies.Use();
        var read = MappedMemory.MapToRead(_bodies.Path, Length).Memory;
        var all = Enumerable.Range(0, 8).Select(_ => Write(_bodies, Most)).ToList();
        Assert.Null(_bodies.TryTake(Most));
        Assert.Equal(Length, _bodies.InUse);
        foreach (var (payload, bytes) in all) Assert.True(read.Slice(payload.Shared!.Start, bytes.Length).Span.SequenceEqual(bytes));

        all[3].Payload.Release();
        var (again, text) = Write(_bodies, Most - 1);
        Assert.Equal(3 * Most, again.Shared!.Start);
        Assert.True(read.Slice(3 * Most, text.Length).Span.SequenceEqual(text));
        foreach (var (payload, _) in all.Where((_, i) => i != 3)) payload.Release();
        again.Release();
        Assert.Equal(0, _bodies.InUse);
    }

    [Fact]
    public void A_body_that_becomes_longer_than_was_announced_leaves()
    {
        _bodies.Use();
        var (payload, bytes) = Write(_bodies, 100_000);
        var room = payload.Shared!.Memory.Length;
        Assert.InRange(room, 100_000, 104_096);
        while (payload.Body.Length < room) payload.Write<byte>([1]);
        Assert.NotNull(payload.Shared);

        payload.Write<byte>([2]);
        Assert.Null(payload.Shared);
        Assert.Equal(0, _bodies.InUse);
        Assert.Equal(room + 1, payload.Body.Length);
        Assert.True(payload.Body.Span[..bytes.Length].SequenceEqual(bytes));
        Assert.Equal(2, payload.Body.Span[room]);
        payload.Release();
    }

    [Fact]
    public void Room_is_a_workers_until_it_has_freed_it_as_often_as_it_was_sent_or_is_gone()
    {
        _bodies.Use();
        var holds = new SharedBodyHolds(_bodies);
        var (sent, _) = Write(_bodies, 20_000);
        Assert.True(holds.TryHold(1, sent.Shared!));
        Assert.True(holds.TryHold(1, sent.Shared!)); // given back, and sent again before it was freed
        sent.Release();
        holds.Release(1);
        holds.Release(2); // none of its
        Assert.NotEqual(0, _bodies.InUse);
        holds.Release(1);
        Assert.Equal(0, _bodies.InUse);
        holds.Release(1);

        var (lost, _) = Write(_bodies, 20_000);
        Assert.True(holds.TryHold(3, lost.Shared!));
        holds.Close();
        Assert.False(holds.TryHold(4, lost.Shared!));
        Assert.NotEqual(0, _bodies.InUse); // it runs again elsewhere
        lost.Release();
        Assert.Equal(0, _bodies.InUse);
    }

    [Fact]
    public void A_worker_of_another_version_gets_the_bytes()
    {
        _bodies.Use();
        var others = new SharedBodyHolds(SharedBodies.TryCreate(Length)!);
        var (payload, _) = Write(_bodies, 20_000);

        Assert.False(others.TryHold(1, payload.Shared!));
        payload.Release();
    }

    [Fact]
    public async Task Memory_is_taken_as_it_is_written_and_given_back_when_it_was_not_needed_since_the_last_time()
    {
        _bodies.Use();
        Assert.Equal(0, await ResidentAsync());
        var all = Enumerable.Range(0, 8).Select(_ => Write(_bodies, Most).Payload).ToList();
        Assert.Equal(Length, await ResidentAsync());

        _bodies.Trim();
        foreach (var payload in all) payload.Release();
        _bodies.Trim();
        Assert.Equal(Length, await ResidentAsync()); // there was need of it since the last time
        _bodies.Trim();
        Assert.Equal(4 << 20, await ResidentAsync());

        // One burst in steady traffic: what lies behind the last body in use is given back all the same.
        var steady = Write(_bodies, 50_000).Payload;
        foreach (var payload in Enumerable.Range(0, 7).Select(_ => Write(_bodies, Most).Payload).ToList()) payload.Release();
        _bodies.Trim();
        _bodies.Trim();
        Assert.Equal(4 << 20, await ResidentAsync());
        steady.Release();
    }

    [Fact]
    public void When_the_version_is_gone_late_bodies_stay_readable_until_they_are_released_and_then_nothing_is_left()
    {
        _bodies.Use();
        var seen = MappedMemory.MapToRead(_bodies.Path, Length).Memory;
        var (late, bytes) = Write(_bodies, 50_000);
        _bodies.Close();
        Assert.ThrowsAny<Exception>(() => MappedMemory.MapToRead(_bodies.Path, Length)); // its number is nobody's, or some other file's
        Assert.True(late.Body.Span.SequenceEqual(bytes));
        Assert.True(seen.Span[..bytes.Length].SequenceEqual(bytes));

        late.Release();
        Assert.Equal(0, _bodies.InUse);
        Assert.False(seen.Span.ContainsAnyExcept((byte)0));
    }

    [Fact]
    public async Task A_request_that_is_lost_gives_its_room_back_when_it_is_collected()
    {
        _bodies.Use();
        Lose(_bodies);
        await EndToEnd.Eventually.HoldsAsync("it is collected", () =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return _bodies.InUse == 0;
        });

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Lose(SharedBodies bodies) => Write(bodies, 20_000);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8 * SharedBodies.LeastBytes - 1)]
    public void Memory_in_which_no_body_would_find_room_is_none(int length) => Assert.Null(SharedBodies.TryCreate(length));

    [Fact]
    public void Nobody_can_take_the_memory_away()
    {
        using var file = File.OpenHandle(_bodies.Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        Assert.ThrowsAny<Exception>(() => RandomAccess.SetLength(file, 0));
        Assert.Equal(Length, RandomAccess.GetLength(file));
    }

    private static (RequestPayload Payload, byte[] Bytes) Write(SharedBodies bodies, int length)
    {
        var bytes = new byte[length];
        Random.Shared.NextBytes(bytes);
        var payload = RequestPayload.Rent(length, bodies.TryTake(length));
        Assert.NotNull(payload.Shared);
        payload.Write(bytes);
        return (payload, bytes);
    }

    // Blocks of 512 bytes that the file has.
    private async Task<long> ResidentAsync()
    {
        using var stat = Process.Start(new ProcessStartInfo("stat", ["-L", "-c", "%b", _bodies.Path]) { RedirectStandardOutput = true })!;
        var text = await stat.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await stat.WaitForExitAsync(TestContext.Current.CancellationToken);
        return 512 * long.Parse(text, CultureInfo.InvariantCulture);
    }
}
