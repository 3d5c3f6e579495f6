import { readyWorkers, type Model, type Version } from '../../api/overview';
import { amount, count, milliseconds } from '../../format';
import { Meter } from '../../parts/Meter';
import { Empty } from '../../parts/Notice';
import { StatePill } from '../../parts/StatePill';
import { Table, type Column } from '../../parts/Table';
import { link } from '../../router';

type Row = Version & { model: string };

const columns: Column<Row>[] = [
  {
    title: 'Model',
    cell: row => (
      <>
        <a href={link.model(row.model, row.version)}>{row.model}</a> <span class="muted">{row.version}</span>
        {row.isDefault && <span class="tag">default</span>}
      </>
    ),
  },
  { title: 'State', cell: row => <StatePill state={row.state} /> },
  { title: 'Workers', numeric: true, cell: row => `${readyWorkers(row)} of ${row.workers.length}` },
  { title: 'Requests/s', numeric: true, cell: row => amount(row.requestsPerSecond) },
  { title: 'p50', numeric: true, cell: row => milliseconds(row.p50Ms) },
  { title: 'p99', numeric: true, cell: row => milliseconds(row.p99Ms) },
  { title: 'Queue', numeric: true, cell: row => count(row.queue) },
  { title: 'Batch', numeric: true, cell: row => amount(row.meanBatch) },
  { title: 'Headroom', cell: row => <Meter value={row.headroomRatio} label="Headroom" tone={headroomTone(row.headroomRatio)} /> },
  {
    title: 'Try',
    cell: row => (
      <a class="button small" href={link.try(row.model, row.version)} aria-label={`Try it: ${row.model} ${row.version}`}>
        Try it
      </a>
    ),
  },
];

/** Every version of every model, with what an operator looks for. */
export function ModelTable({ models }: { models: Model[] }) {
  const rows = models.flatMap(model => model.versions.map(version => ({ ...version, model: model.name })));
  return (
    <section class="card" aria-labelledby="models">
      <div class="card-head">
        <h2 id="models">Models</h2>
        <a class="button small" href={link.register}>
          Register a model
        </a>
      </div>
      {rows.length === 0 ? (
        <Empty icon="box" title="No model is registered.">
          <a href={link.register}>Register one</a> from the model store, or upload an archive.
        </Empty>
      ) : (
        <Table label="Models" columns={columns} rows={rows} keyOf={row => `${row.model}/${row.version}`} />
      )}
    </section>
  );
}

/** Below a tenth there is no room for a peak. */
export function headroomTone(ratio: number | undefined): 'good' | 'warn' | 'bad' {
  if (ratio === undefined || ratio >= 0.3) return 'good';
  return ratio >= 0.1 ? 'warn' : 'bad';
}
