import type { Snapshot } from './overview';

/** Snapshots as columns for plots; a gap in time becomes a gap in the lines. */
export interface Columns {
  /** Seconds since 1970. */
  times: number[];
  of: (value: (snapshot: Snapshot) => number | null | undefined) => (number | null)[];
}

const keptSeconds = 300;
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

/** The last five minutes, with one more snapshot. A clock that was set back would bend lines back too, so what is later than the new one goes. */
export function remember(history: readonly Snapshot[], snapshot: Snapshot): readonly Snapshot[] {
  const now = Date.parse(snapshot.time);
  const isRecent = (one: Snapshot): boolean => Date.parse(one.time) < now && Date.parse(one.time) >= now - keptSeconds * 1000;
  return [...history.filter(isRecent), withoutWorkers(snapshot)];
}

// Nobody looks at the workers of the past, and a hundred models have many.
function withoutWorkers(snapshot: Snapshot): Snapshot {
  return { ...snapshot, models: snapshot.models.map(model => ({ ...model, versions: model.versions.map(version => ({ ...version, workers: [] })) })) };
}
