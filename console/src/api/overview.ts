/** What GET /overview answers, once or each second. Null means "not known". */
export interface Snapshot {
  time: string;
  uptimeSeconds: number;
  version: string;
  health: string;
  intervalSeconds: number;
  requestsPerSecond: number | null;
  errorsPerSecond: number | null;
  clientErrorsPerSecond: number | null;
  p50Ms: number | null;
  p90Ms: number | null;
  p99Ms: number | null;
  inFlight: number | null;
  queue: number | null;
  inferenceAddress?: string | null;
  devices: Device[];
  models: Model[];
}

export interface Device {
  device: string;
  name: string | null;
  utilizationRatio: number | null;
  memoryUsedBytes: number | null;
  memoryTotalBytes: number | null;
  powerWatts: number | null;
}

export interface Model {
  name: string;
  defaultVersion: string | null;
  versions: Version[];
}

export interface Version {
  version: string;
  isDefault: boolean;
  state: string;
  handler: string | null;
  requestsPerSecond: number | null;
  errorsPerSecond: number | null;
  p50Ms: number | null;
  p90Ms: number | null;
  p99Ms: number | null;
  inFlight: number | null;
  queue: number | null;
  queueCapacity: number | null;
  headroomRatio: number | null;
  batchSize: number | null;
  meanBatch: number | null;
  batchFillRatio: number | null;
  batchSizes: { le: number | string; perSecond: number }[] | null;
  stagesMs: Record<string, number | null> | null;
  workers: Worker[];
  restarts: number | null;
  lastError: { time: string; message: string } | null;
}

export interface Worker {
  id: string;
  pid: number | null;
  state: string;
  device: string | null;
  memoryBytes: number | null;
  deviceMemoryBytes: number | null;
  deviceBusyRatio: number | null;
  inFlight: number | null;
  startedAt: string | null;
}

export function findVersion(snapshot: Snapshot | null, model: string, version: string | undefined): Version | undefined {
  const found = snapshot?.models.find(one => one.name === model);
  if (found === undefined) return undefined;
  return version === undefined ? (found.versions.find(one => one.isDefault) ?? found.versions[0]) : found.versions.find(one => one.version === version);
}

/** Workers that take requests. */
export function readyWorkers(version: Version): number {
  return version.workers.filter(worker => worker.state === 'Ready' || worker.state === 'Busy').length;
}
