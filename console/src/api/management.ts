import { ApiError, json, path } from './client';

/** What the page uses of a version's description. */
export interface Description {
  modelName: string;
  modelVersion: string;
  modelUrl: string;
  minWorkers: number;
  maxWorkers: number;
  batchSize: number;
  maxBatchDelay: number;
  responseTimeout: number;
  deviceType: string;
  deviceIds?: number[];
  batching: string;
  instances: number;
  latencyTarget?: number;
  maxQueueSize: number;
  handler?: string;
  signature?: Signature;
  bottleneck?: string;
  notes?: string[];
  load?: { batchCosts?: { rows: number; mean: number; p99: number }[] };
}

export interface Signature {
  inputs: Tensor[];
  outputs: Tensor[];
}

export interface Tensor {
  name: string;
  elementType: string;
  /** -1 where any size will do. */
  shape: number[];
}

interface Status {
  status: string;
}

export async function describe(model: string, version: string, signal?: AbortSignal): Promise<Description> {
  const [one] = await json<Description[]>('models/' + path(model, version), { signal });
  if (one === undefined) throw new ApiError(404, 'ModelNotFoundException', `Model not found: ${model}`);
  return one;
}

/** Answers when the workers are there. Without a largest number the server would take the least for it, which ends autoscaling. */
export function scale(model: string, version: string, { least, most }: { least: number; most: number }): Promise<Status> {
  return json(`models/${path(model, version)}?min_worker=${least}&max_worker=${most}&synchronous=true`, { method: 'PUT' });
}

export function setDefault(model: string, version: string): Promise<Status> {
  return json(`models/${path(model, version)}/set-default`, { method: 'PUT' });
}

/** Answers when the accepted requests are finished. */
export function unregister(model: string, version: string): Promise<Status> {
  return json('models/' + path(model, version), { method: 'DELETE' });
}

export interface Registration {
  url: string;
  model_name?: string;
  initial_workers?: string;
  batch_size?: string;
}

/** Answers when the workers are ready, or says why they are not. */
export function register(registration: Registration): Promise<Status> {
  const query = new URLSearchParams({ synchronous: 'true' });
  for (const [name, value] of Object.entries(registration)) if (value) query.set(name, value);
  return json(`models?${query}`, { method: 'POST' });
}
