using System.Runtime.InteropServices;

namespace Serve.Worker.Images.Decoding.Turbo;

/// <summary>One decoder of the library, for one thread. Freed with it.</summary>
internal sealed class TurboJpegHandle : SafeHandle
{
    private readonly TurboJpegLibrary _library;

    public TurboJpegHandle(TurboJpegLibrary library)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        _library = library;
        SetHandle(library.CreateDecompressor());
        if (IsInvalid)
            throw new InsufficientMemoryException("libjpeg-turbo has no memory for a decoder.");
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        _library.Destroy(handle);
        return true;
    }
}
