/* A driver with two GPUs, for NvmlProbeTests: the second tells neither power nor utilization, as a MIG device. */
#include <string.h>

typedef struct { unsigned int gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned int pid; unsigned long long used; unsigned int instance, compute; } process;

static char devices[2];
enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7 };

static int index_of(void *device) { return (int)((char *)device - devices); }

int nvmlInit_v2(void) { return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 3; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    if (index > 1) return INVALID_ARGUMENT; /* it fell off the bus */
    *device = devices + index;
    return SUCCESS;
}
int nvmlDeviceGetName(void *device, char *name, unsigned int length) { strncpy(name, "Fake T4", length); return SUCCESS; }
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned int length) { strncpy(uuid, index_of(device) ? "GPU-two" : "GPU-one", length); return SUCCESS; }
int nvmlDeviceGetUtilizationRates(void *device, utilization *rates) {
    if (index_of(device)) return NOT_SUPPORTED;
    rates->gpu = 85; rates->memory = 40;
    return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(void *device, memory *info) { info->total = 16ull << 30; info->used = 3ull << 30; info->free = 13ull << 30; return SUCCESS; }
int nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) { if (index_of(device)) return NOT_SUPPORTED; *milliwatts = 70500; return SUCCESS; }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *degrees) { if (sensor) return INVALID_ARGUMENT; *degrees = 61; return SUCCESS; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, process *infos) {
    unsigned int have = index_of(device) ? 1 : 20, i;
    if (*count < have) { *count = have; return INSUFFICIENT_SIZE; }
    *count = have;
    for (i = 0; i < have; i++) { infos[i].pid = 100 + i; infos[i].used = i == 1 ? ~0ull : (unsigned long long)(i + 1) << 20; infos[i].instance = infos[i].compute = ~0u; }
    return SUCCESS;
}
