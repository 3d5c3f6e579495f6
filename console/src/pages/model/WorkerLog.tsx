import { json, path } from '../../api/client';
import { clock } from '../../format';
import { Notice } from '../../parts/Notice';
import { useResource } from '../../parts/useResource';

interface Line {
  time: string;
  text: string;
}

interface Log {
  workers: { id: string; pid?: number; lines: Line[] }[];
  /** The last one that died. */
  lastLost?: { id: string; pid?: number; time: string; reason: string; lines: Line[] };
}

const lines = 100;
const interval = 2_000;

/** The last lines of a version's workers, and of the last one that died. */
export function WorkerLog({ model, version }: { model: string; version: string }) {
  const key = `models/${path(model, version)}/workers/log?lines=${lines}`;
  const { value, error } = useResource(key, signal => json<Log>(key, { signal }), interval);
  if (value === undefined) return error === undefined ? <p class="muted">Reading the log…</p> : <Notice tone="bad">{error}</Notice>;
  const lost = value.lastLost;
  return (
    <>
      {error !== undefined && <Notice tone="bad">{error}</Notice>}
      {lost !== undefined && <Lines title={`Worker ${lost.id}, process ${lost.pid ?? '–'}, died at ${clock(lost.time)}: ${lost.reason}`} lines={lost.lines} />}
      {value.workers.map(worker => (
        <Lines key={worker.id} title={`Worker ${worker.id}, process ${worker.pid ?? '–'}`} lines={worker.lines} />
      ))}
      {lost === undefined && value.workers.length === 0 && <p class="muted">There are no workers that could have written something.</p>}
    </>
  );
}

function Lines({ title, lines: written }: { title: string; lines: Line[] }) {
  return (
    <div>
      <h3>{title}</h3>
      {written.length === 0 ? (
        <p class="muted">It has written nothing.</p>
      ) : (
        <pre class="block" tabIndex={0} aria-label={title}>
          {written.map(line => `${clock(line.time)} ${line.text}`).join('\n')}
        </pre>
      )}
    </div>
  );
}
