using System.Runtime.InteropServices;

namespace Serve.Worker.Images.Decoding.Turbo;

/// <summary>
/// The machine's libjpeg-turbo, if it has one: the functions of the TurboJPEG API 2.0 that decode, which 3.x still exports.
/// Loaded once for the process and never unloaded.
/// </summary>
internal sealed unsafe class TurboJpegLibrary
{
    /// <summary>What to do where the library is missing.</summary>
    public const string HowToInstall = "install it (Debian, Ubuntu: apt-get install libturbojpeg0; Fedora: dnf install turbojpeg; macOS: brew install jpeg-turbo; Windows: turbojpeg.dll on the PATH)";

    private static readonly string[] Names =
        OperatingSystem.IsWindows() ? ["turbojpeg.dll"]
        : OperatingSystem.IsMacOS() ? ["libturbojpeg.dylib", "/opt/homebrew/opt/jpeg-turbo/lib/libturbojpeg.dylib", "/usr/local/opt/jpeg-turbo/lib/libturbojpeg.dylib"]
        : ["libturbojpeg.so.0"];

    private static readonly Lazy<TurboJpegLibrary?> Loaded = new(() => Names.Select(Load).FirstOrDefault(library => library is not null));

    private readonly delegate* unmanaged<nint> _initDecompress;
    private readonly delegate* unmanaged<nint, byte*, CULong, int*, int*, int*, int*, int> _decompressHeader;
    private readonly delegate* unmanaged<nint, byte*, CULong, byte*, int, int, int, int, int, int> _decompress;
    private readonly delegate* unmanaged<nint, int> _getErrorCode;
    private readonly delegate* unmanaged<nint, byte*> _getErrorText;
    private readonly delegate* unmanaged<nint, int> _destroy;

    private TurboJpegLibrary(string name, nint library)
    {
        Name = name;
        _initDecompress = (delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "tjInitDecompress");
        _decompressHeader = (delegate* unmanaged<nint, byte*, CULong, int*, int*, int*, int*, int>)NativeLibrary.GetExport(library, "tjDecompressHeader3");
        _decompress = (delegate* unmanaged<nint, byte*, CULong, byte*, int, int, int, int, int, int>)NativeLibrary.GetExport(library, "tjDecompress2");
        _getErrorCode = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "tjGetErrorCode");
        _getErrorText = (delegate* unmanaged<nint, byte*>)NativeLibrary.GetExport(library, "tjGetErrorStr2");
        _destroy = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "tjDestroy");
    }

    /// <summary>The library; null when the machine has none, or one older than 2.0.</summary>
    public static TurboJpegLibrary? Installed => Loaded.Value;

    /// <summary>The file that was loaded.</summary>
    public string Name { get; }

    /// <summary>A new decoder of the library; 0 when there is no memory for it.</summary>
    public nint CreateDecompressor() => _initDecompress();

    public void Destroy(nint handle) => _destroy(handle);

    /// <summary>0, or -1 after a failure.</summary>
    public int ReadHeader(nint handle, byte* jpeg, int bytes, out int width, out int height, out int colourSpace)
    {
        int readWidth, readHeight, subsampling, readColourSpace;
        var code = _decompressHeader(handle, jpeg, new CULong((uint)bytes), &readWidth, &readHeight, &subsampling, &readColourSpace);
        (width, height, colourSpace) = code == 0 ? (readWidth, readHeight, readColourSpace) : default;
        return code;
    }

    /// <summary>Writes RGB rows. 0, or -1 after a failure or a warning.</summary>
    public int Decompress(nint handle, byte* jpeg, int bytes, byte* rgb, int width, int stride, int height, int flags)
    {
        const int Rgb = 0;
        return _decompress(handle, jpeg, new CULong((uint)bytes), rgb, width, stride, height, Rgb, flags);
    }

    /// <summary>0: the last call only warned, and the picture is there. Has a meaning only after a call that did not return 0.</summary>
    public int ErrorCode(nint handle) => _getErrorCode(handle);

    /// <summary>Has a meaning only after a call that did not return 0.</summary>
    public string ErrorText(nint handle) => Marshal.PtrToStringUTF8((nint)_getErrorText(handle)) ?? "unknown error";

    private static TurboJpegLibrary? Load(string name)
    {
        if (!NativeLibrary.TryLoad(name, typeof(TurboJpegLibrary).Assembly, null, out var library))
            return null;
        return NativeLibrary.TryGetExport(library, "tjGetErrorCode", out _) && NativeLibrary.TryGetExport(library, "tjDecompress2", out _)
            ? new TurboJpegLibrary(name, library)
            : null;
    }
}
