import type { Version } from '../../api/overview';

/** How many workers a version has: two numbers between which autoscaling moves, or one, as both ends. */
export interface WorkerRange {
  least: number;
  most: number;
}

/** The range that holds now. Without autoscaling it is the number of workers, or, where that is none that was asked for, the nearest that was. */
export function rangeOf({ minWorkers, maxWorkers, autoscales, workers }: Version): WorkerRange {
  const least = minWorkers ?? workers.length;
  const most = maxWorkers ?? least;
  const number = Math.min(Math.max(workers.length, least), most);
  return autoscales ? { least, most } : { least: number, most: number };
}

/** The range that a version shall have. Its upper end stays, unless another is chosen or it is too low. */
export function withChosen(version: Version, chosen: Partial<WorkerRange>): WorkerRange {
  const now = rangeOf(version);
  const least = chosen.least ?? now.least;
  return { least, most: version.autoscales ? (chosen.most ?? Math.max(now.most, least)) : least };
}

/** Whether the server can be asked for it and has something to do: another range, or workers that are missing, or too many. */
export function canScale(version: Version, { least, most }: WorkerRange): boolean {
  const now = rangeOf(version);
  const there = version.workers.length;
  return least <= most && (least !== now.least || most !== now.most || there < least || there > most);
}
