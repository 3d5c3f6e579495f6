import { useState } from 'preact/hooks';
import type { Version, Worker } from '../../api/overview';
import { bytes, count, duration, percent, plural } from '../../format';
import { Icon } from '../../parts/Icon';
import { Empty } from '../../parts/Notice';
import { StatePill } from '../../parts/StatePill';
import { Table, type Column } from '../../parts/Table';
import { ScaleForm } from './ScaleForm';
import { WorkerLog } from './WorkerLog';

/** A version's processes: how many, in what state, and what they wrote. */
export function Workers({ model, version, now }: { model: string; version: Version; now: string }) {
  const [isLogShown, showLog] = useState(version.state === 'Failed');
  return (
    <section class="card" aria-labelledby="workers">
      <div class="card-head">
        <h2 id="workers">Workers</h2>
        <span class="muted">{version.restarts ? `${plural(version.restarts, 'has', 'have')} died so far` : 'none has died'}</span>
        <ScaleForm model={model} version={version} />
      </div>
      {version.workers.length === 0 ? (
        <Empty icon="box" title="It has no workers.">
          Requests are answered 503 until it has some.
        </Empty>
      ) : (
        <Table label="Workers" columns={columns(version, Date.parse(now))} rows={version.workers} keyOf={worker => worker.id} />
      )}
      <div class="card-foot">
        <button type="button" class="small" aria-expanded={isLogShown} onClick={() => showLog(!isLogShown)}>
          <Icon name="log" />
          {isLogShown ? 'Hide the log' : 'Show what they wrote'}
        </button>
        {isLogShown && <WorkerLog model={model} version={version.version} />}
      </div>
    </section>
  );
}

// By the server's clock, which the browser's may not agree with.
function columns(version: Version, now: number): Column<Worker>[] {
  const has = (value: (worker: Worker) => unknown): boolean => version.workers.some(worker => value(worker) !== undefined);
  return [
    { title: 'Worker', cell: worker => worker.id },
    { title: 'State', cell: worker => <StatePill state={worker.state} /> },
    { title: 'Process', numeric: true, cell: worker => worker.pid ?? '–' },
    { title: 'Device', cell: worker => worker.device ?? '–' },
    { title: 'Memory', numeric: true, cell: worker => bytes(worker.memoryBytes) },
    ...(has(worker => worker.deviceMemoryBytes) ? [{ title: 'On the device', numeric: true, cell: (worker: Worker) => bytes(worker.deviceMemoryBytes) }] : []),
    { title: 'Busy', numeric: true, cell: worker => percent(worker.deviceBusyRatio) },
    { title: 'In flight', numeric: true, cell: worker => count(worker.inFlight) },
    ...(has(worker => worker.restarts) ? [{ title: 'Restarts', numeric: true, cell: (worker: Worker) => count(worker.restarts) }] : []),
    { title: 'Up', numeric: true, cell: worker => (worker.startedAt === undefined ? '–' : duration((now - Date.parse(worker.startedAt)) / 1000)) },
  ];
}
