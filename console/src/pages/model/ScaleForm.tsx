import { useState } from 'preact/hooks';
import { scale } from '../../api/management';
import type { Version } from '../../api/overview';
import { useAction } from '../../parts/useAction';
import { canScale, withChosen, type WorkerRange } from './workerRange';

const limit = 1024;

/** Sets how many workers there are, or between which numbers autoscaling moves. Until somebody changes them, the fields have what holds now. */
export function ScaleForm({ model, version }: { model: string; version: Version }) {
  const [chosen, choose] = useState<Partial<WorkerRange>>({});
  const { busy, run } = useAction();
  const shown = withChosen(version, chosen);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await run(async () => (await scale(model, version.version, shown)).status)) choose({});
  };
  return (
    <form class="actions" onSubmit={event => void submit(event)}>
      {version.autoscales && <span class="muted">at least</span>}
      <Stepper name={version.autoscales ? 'Fewest workers' : 'Workers'} value={shown.least} onChange={least => choose({ ...chosen, least })} />
      {version.autoscales && (
        <>
          <span class="muted">at most</span>
          <Stepper name="Most workers" value={shown.most} onChange={most => choose({ ...chosen, most })} />
        </>
      )}
      <button type="submit" class="primary" disabled={busy || !canScale(version, shown)}>
        {busy ? 'Scaling…' : 'Scale'}
      </button>
    </form>
  );
}

function Stepper({ name, value, onChange }: { name: string; value: number; onChange: (value: number) => void }) {
  const set = (number: number): void => onChange(Math.min(limit, Math.max(0, Number.isFinite(number) ? Math.trunc(number) : 0)));
  return (
    <div class="stepper" role="group" aria-label={name}>
      <button type="button" class="icon-only" aria-label={`${name}: one less`} disabled={value <= 0} onClick={() => set(value - 1)}>
        −
      </button>
      <input type="number" inputMode="numeric" min={0} max={limit} aria-label={name} value={value} onInput={event => set(event.currentTarget.valueAsNumber)} />
      <button type="button" class="icon-only" aria-label={`${name}: one more`} onClick={() => set(value + 1)}>
        +
      </button>
    </div>
  );
}
