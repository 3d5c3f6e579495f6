import { live } from '../../api/live';
import { findVersion, type Version } from '../../api/overview';
import { amount, percent } from '../../format';

const seconds = 10;

/** How large batches were in the last ten seconds. */
export function BatchSizes({ model, version }: { model: string; version: Version }) {
  const rows = distribution(model, version.version);
  const most = Math.max(...rows.map(row => row.perSecond), 0);
  return (
    <section class="card" aria-labelledby="batch-sizes">
      <div class="card-head">
        <h2 id="batch-sizes">Batch sizes</h2>
        <span class="muted">{version.batchFillRatio === undefined ? 'last 10 s' : `last 10 s; batches are ${percent(version.batchFillRatio)} full`}</span>
      </div>
      <div class="card-body">
        {most === 0 ? (
          <p class="muted">No batches in the last ten seconds.</p>
        ) : (
          <ul class="bars" aria-label="Batches per second by their size">
            {rows.map(row => (
              <li key={row.title}>
                <span>{row.title}</span>
                <span class="bar">
                  <span class="fill" style={{ width: `${(row.perSecond / most) * 100}%` }} />
                </span>
                <span class="number">{amount(row.perSecond)}/s</span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

function distribution(model: string, version: string): { title: string; perSecond: number }[] {
  const recent = live.history.slice(-seconds).map(snapshot => findVersion(snapshot, model, version)?.batchSizes ?? []);
  const sums = new Map<number, number>();
  for (const sizes of recent) for (const { le, perSecond } of sizes) sums.set(le, (sums.get(le) ?? 0) + perSecond);
  const ends = [...sums.keys()].sort((a, b) => a - b);
  return ends.map((end, index) => {
    const begin = (ends[index - 1] ?? 0) + 1;
    return { title: begin >= end ? `${end}` : `${begin}–${end}`, perSecond: sums.get(end)! / recent.length };
  });
}
