using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Serve.Tests;

/// <summary>
/// Switches off ONNX Runtime's telemetry in the test process. Workers get the variable from the frontend that starts
/// them; here nobody starts us with it, and .NET's own SetEnvironmentVariable does not reach native code on Unix, so the
/// C library's is called before any test can load the native library.
/// </summary>
internal static partial class OnnxRuntimeTelemetry
{
    private const string Variable = "ORT_DISABLE_TELEMETRY";

    [ModuleInitializer]
    internal static void SwitchOff()
    {
        Environment.SetEnvironmentVariable(Variable, "1"); // for the processes that tests start
        if (!OperatingSystem.IsWindows() && SetNative(Variable, "1", overwrite: 1) != 0)
        {
            throw new InvalidOperationException($"setenv({Variable}) failed with error {Marshal.GetLastPInvokeError()}.");
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int SetNative(string name, string value, int overwrite);
}
