using Serve.Core.Memory;

namespace Serve.Tests.Core.Memory;

public sealed class RangeAllocatorTests
{
    [Fact]
    public void Whatever_is_taken_and_returned_no_byte_belongs_to_two_and_the_lowest_place_is_taken()
    {
        const int Length = 500;
        var random = new Random(3);
        for (var round = 0; round < 200; round++)
        {
            var allocator = new RangeAllocator(Length);
            var owners = new bool[Length];
            var taken = new List<(int Start, int Length)>();
            for (var step = 0; step < 300; step++)
            {
                if (taken.Count > 0 && random.Next(5) < 2)
                {
                    var at = random.Next(taken.Count);
                    var (start, length) = taken[at];
                    taken.RemoveAt(at);
                    owners.AsSpan(start, length).Clear();
                    allocator.Return(start, length);
                    continue;
                }

                var wanted = random.Next(1, 60);
                var got = allocator.Take(wanted);
                Assert.Equal(FirstFit(owners, wanted), got);
                if (got < 0) continue;
                owners.AsSpan(got, wanted).Fill(true);
                taken.Add((got, wanted));
            }

            foreach (var (start, length) in taken) allocator.Return(start, length);
            Assert.Equal(0, allocator.Take(Length));
            Assert.Equal(-1, allocator.Take(1));
        }
    }

    private static int FirstFit(ReadOnlySpan<bool> owners, int length)
    {
        for (var start = 0; start + length <= owners.Length; start++) if (!owners.Slice(start, length).Contains(true)) return start;
        return -1;
    }
}
