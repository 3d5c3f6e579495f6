import type { Snapshot } from './overview';

/** Snapshots as columns for plots; a gap in time becomes a gap in the lines. */
export interface Columns {
  /** Seconds since 1970. */
  times: number[];
  of: (value: (snapshot: Snapshot) => number | null | undefined) => (number | null)[];
}

const longestStep = 3.5; // seconds between two snapshots of one connection, and some patience

export function columns(history: readonly Snapshot[]): Columns {
  const rows: (Snapshot | null)[] = [];
  const times: number[] = [];
  for (const snapshot of history) {
    const time = Date.parse(snapshot.time) / 1000;
    const before = times.at(-1);
    if (before !== undefined && time - before > longestStep) {
      times.push(before + 0.001);
      rows.push(null);
    }
    times.push(time);
    rows.push(snapshot);
  }
  return { times, of: value => rows.map(row => (row === null ? null : (value(row) ?? null))) };
}
