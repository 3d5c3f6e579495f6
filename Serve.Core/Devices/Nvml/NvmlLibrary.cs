using System.Runtime.InteropServices;
using System.Text;

namespace Serve.Core.Devices.Nvml;

/// <summary>
/// NVIDIA's management library, which comes with its driver, found at run time: a machine without it has no GPUs to speak
/// of. Functions that an older driver lacks, and facts that a device does not tell, are null. Source: NVML API reference,
/// "Device Queries".
/// </summary>
internal sealed unsafe class NvmlLibrary
{
    private const int Success = 0;
    private const int InsufficientSize = 7;
    private const int TextBytes = 96; // NVML_DEVICE_NAME_V2_BUFFER_SIZE, NVML_DEVICE_UUID_V2_BUFFER_SIZE
    private const uint GpuTemperature = 0; // NVML_TEMPERATURE_GPU
    private const ulong NotAvailable = ulong.MaxValue; // NVML_VALUE_NOT_AVAILABLE

    private readonly delegate* unmanaged<uint*, int> _count;
    private readonly delegate* unmanaged<uint, nint*, int> _handleByIndex;
    private readonly delegate* unmanaged<nint, byte*, uint, int> _name;
    private readonly delegate* unmanaged<nint, byte*, uint, int> _uuid;
    private readonly delegate* unmanaged<nint, Utilization*, int> _utilization;
    private readonly delegate* unmanaged<nint, Memory*, int> _memory;
    private readonly delegate* unmanaged<nint, uint*, int> _power;
    private readonly delegate* unmanaged<nint, ulong*, int> _energy;
    private readonly delegate* unmanaged<nint, uint, uint*, int> _temperature;
    private readonly delegate* unmanaged<nint, uint*, ProcessUse*, int> _processes;

    private NvmlLibrary(nint library)
    {
        _count = (delegate* unmanaged<uint*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetCount_v2");
        _handleByIndex = (delegate* unmanaged<uint, nint*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetHandleByIndex_v2");
        _name = (delegate* unmanaged<nint, byte*, uint, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetName");
        _uuid = (delegate* unmanaged<nint, byte*, uint, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetUUID");
        _utilization = (delegate* unmanaged<nint, Utilization*, int>)Find(library, "nvmlDeviceGetUtilizationRates");
        _memory = (delegate* unmanaged<nint, Memory*, int>)Find(library, "nvmlDeviceGetMemoryInfo");
        _power = (delegate* unmanaged<nint, uint*, int>)Find(library, "nvmlDeviceGetPowerUsage");
        _energy = (delegate* unmanaged<nint, ulong*, int>)Find(library, "nvmlDeviceGetTotalEnergyConsumption");
        _temperature = (delegate* unmanaged<nint, uint, uint*, int>)Find(library, "nvmlDeviceGetTemperature");

        // Both fill the structure of version 2; version 3 also tells of MIG instances.
        var processes = Find(library, "nvmlDeviceGetComputeRunningProcesses_v3");
        if (processes == 0) processes = Find(library, "nvmlDeviceGetComputeRunningProcesses_v2");
        _processes = (delegate* unmanaged<nint, uint*, ProcessUse*, int>)processes;
    }

    /// <summary>Loads and initializes the library.</summary>
    /// <param name="path">Its file; by default the driver's, by the loader's rules.</param>
    /// <returns>Null where it is not there, or has no driver to speak to.</returns>
    public static NvmlLibrary? TryLoad(string? path = null)
    {
        path ??= OperatingSystem.IsWindows() ? "nvml.dll" : "libnvidia-ml.so.1";
        if (!NativeLibrary.TryLoad(path, typeof(NvmlLibrary).Assembly, null, out var library)) return null;
        try
        {
            var initialize = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "nvmlInit_v2");
            return initialize() == Success ? new NvmlLibrary(library) : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null; // a driver older than any that CUDA 13 runs on
        }
    }

    /// <summary>Handles of the machine's GPUs, by the driver's index. One that fell off its bus is not among them.</summary>
    public nint[] Devices()
    {
        uint count;
        if (_count(&count) != Success) return [];
        var devices = new List<nint>((int)count);
        for (uint i = 0; i < count; i++)
        {
            nint device;
            if (_handleByIndex(i, &device) == Success) devices.Add(device);
        }

        return [.. devices];
    }

    public string? Name(nint device) => Text(_name, device);

    public string? Uuid(nint device) => Text(_uuid, device);

    /// <summary>0 to 1, of the chip and of its memory.</summary>
    public (double Chip, double Memory)? UtilizationOf(nint device)
    {
        Utilization utilization;
        return _utilization != null && _utilization(device, &utilization) == Success ? (utilization.Chip / 100.0, utilization.Memory / 100.0) : null;
    }

    public (long Used, long Total)? MemoryOf(nint device)
    {
        Memory memory;
        return _memory != null && _memory(device, &memory) == Success ? ((long)memory.Used, (long)memory.Total) : null;
    }

    public double? PowerWatts(nint device)
    {
        uint milliwatts;
        return _power != null && _power(device, &milliwatts) == Success ? milliwatts / 1e3 : null;
    }

    public double? EnergyJoules(nint device)
    {
        ulong millijoules;
        return _energy != null && _energy(device, &millijoules) == Success ? millijoules / 1e3 : null;
    }

    public double? TemperatureCelsius(nint device)
    {
        uint degrees;
        return _temperature != null && _temperature(device, GpuTemperature, &degrees) == Success ? degrees : null;
    }

    /// <summary>Memory by process id.</summary>
    public Dictionary<int, long> ProcessMemory(nint device)
    {
        var memory = new Dictionary<int, long>();
        if (_processes == null) return memory;
        var uses = new ProcessUse[16];
        while (true)
        {
            var count = (uint)uses.Length;
            int result;
            fixed (ProcessUse* first = uses) result = _processes(device, &count, first);
            if (result == InsufficientSize && uses.Length < 4096)
            {
                // Others may start meanwhile.
                uses = new ProcessUse[Math.Max(uses.Length * 2, (int)Math.Min(count + 8, 4096))];
                continue;
            }

            if (result != Success) return memory;
            foreach (var use in uses.AsSpan(0, (int)Math.Min(count, (uint)uses.Length)))
            {
                if (use.UsedBytes == NotAvailable) continue;
                ref var sum = ref CollectionsMarshal.GetValueRefOrAddDefault(memory, (int)use.Pid, out _);
                sum += (long)use.UsedBytes;
            }

            return memory;
        }
    }

    private static nint Find(nint library, string name) => NativeLibrary.TryGetExport(library, name, out var address) ? address : 0;

    private static string? Text(delegate* unmanaged<nint, byte*, uint, int> function, nint device)
    {
        Span<byte> text = stackalloc byte[TextBytes];
        fixed (byte* first = text)
        {
            if (function(device, first, TextBytes) != Success) return null;
        }

        var end = text.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? text : text[..end]);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Utilization
    {
        public uint Chip;
        public uint Memory;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Memory
    {
        public ulong Total;
        public ulong Free;
        public ulong Used;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ProcessUse
    {
        public uint Pid;
        public ulong UsedBytes;
        public uint GpuInstance;
        public uint ComputeInstance;
    }
}
