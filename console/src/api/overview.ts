/** What GET /overview answers, once or each second. What is not known is left out. */
export interface Snapshot {
  time: string;
  uptimeSeconds: number;
  version: string;
  health: string;
  intervalSeconds: number;
  requestsPerSecond?: number;
  errorsPerSecond?: number;
  clientErrorsPerSecond?: number;
  p50Ms?: number;
  p90Ms?: number;
  p99Ms?: number;
  inFlight?: number;
  queue?: number;
  inferenceAddress: string;
  inferenceNeedsToken: boolean;
  devices: Device[];
  models: Model[];
}

export interface Device {
  device: string;
  name?: string;
  utilizationRatio?: number;
  memoryUsedBytes?: number;
  memoryTotalBytes?: number;
  powerWatts?: number;
}

export interface Model {
  name: string;
  defaultVersion?: string;
  versions: Version[];
}

export interface Version {
  version: string;
  isDefault: boolean;
  state: string;
  /** Why it is not as it should be. */
  reason?: string;
  minWorkers?: number;
  maxWorkers?: number;
  autoscales: boolean;
  handler?: string;
  requestsPerSecond?: number;
  errorsPerSecond?: number;
  p50Ms?: number;
  p90Ms?: number;
  p99Ms?: number;
  inFlight?: number;
  queue?: number;
  queueCapacity?: number;
  headroomRatio?: number;
  batchSize?: number;
  meanBatch?: number;
  batchFillRatio?: number;
  batchSizes?: { le: number; perSecond: number }[];
  stagesMs?: Record<string, number>;
  workers: Worker[];
  restarts?: number;
  lastError?: { time: string; message: string };
}

export interface Worker {
  id: string;
  pid?: number;
  state: string;
  device?: string;
  memoryBytes?: number;
  deviceMemoryBytes?: number;
  deviceBusyRatio?: number;
  inFlight?: number;
  restarts?: number;
  startedAt?: string;
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
