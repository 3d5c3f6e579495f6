import { useState } from 'preact/hooks';
import { scale } from '../../api/management';
import type { Version } from '../../api/overview';
import { useAction } from '../../parts/useAction';

const most = 1024;

/** Sets how many workers there are. Until somebody changes it, the field has the number that there are. */
export function ScaleForm({ model, version }: { model: string; version: Version }) {
  const [chosen, choose] = useState<number | null>(null);
  const { busy, run } = useAction();
  const wanted = version.minWorkers ?? version.workers.length;
  const shown = chosen ?? wanted;
  const set = (number: number): void => choose(Math.min(most, Math.max(0, Number.isFinite(number) ? Math.trunc(number) : 0)));
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await run(async () => (await scale(model, version.version, shown)).status)) choose(null);
  };
  return (
    <form class="actions" onSubmit={event => void submit(event)}>
      <div class="stepper" role="group" aria-label="Number of workers">
        <button type="button" class="icon-only" aria-label="One worker less" disabled={shown <= 0} onClick={() => set(shown - 1)}>
          −
        </button>
        <input type="number" inputMode="numeric" min={0} max={most} aria-label="Workers" value={shown} onInput={event => set(event.currentTarget.valueAsNumber)} />
        <button type="button" class="icon-only" aria-label="One worker more" onClick={() => set(shown + 1)}>
          +
        </button>
      </div>
      <button type="submit" class="primary" disabled={busy || (chosen === null && wanted === version.workers.length) || chosen === wanted}>
        {busy ? 'Scaling…' : 'Scale'}
      </button>
    </form>
  );
}
