using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;

namespace Serve.Frontend.Grpc;

/// <summary>
/// gzip for messages, whose unpacked size is bounded as that of others is: the library unpacks without end, and a hundred
/// kilobytes can become a hundred megabytes.
/// </summary>
/// <param name="mostBytes">The most that a message may have unpacked.</param>
internal sealed class BoundedGzip(long mostBytes) : ICompressionProvider
{
    private readonly GzipCompressionProvider _gzip = new(CompressionLevel.Fastest);

    public string EncodingName => _gzip.EncodingName;

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel) => _gzip.CreateCompressionStream(stream, compressionLevel);

    public Stream CreateDecompressionStream(Stream stream) => new Bounded(_gzip.CreateDecompressionStream(stream), mostBytes);

    private sealed class Bounded(Stream unpacked, long mostBytes) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => _read;
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var count = unpacked.Read(buffer);
            _read += count;
            return _read <= mostBytes ? count : throw new RpcException(new Status(StatusCode.ResourceExhausted, $"The message has more than {mostBytes} bytes unpacked (maxRequestSize)."));
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) unpacked.Dispose();
            base.Dispose(disposing);
        }
    }
}
