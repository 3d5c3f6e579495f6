import type { Snapshot } from '../../api/overview';
import { readyWorkers } from '../../api/overview';
import { amount, count, milliseconds, plural } from '../../format';
import { Figure } from '../../parts/Figure';

/** The numbers that one looks for first. */
export function Figures({ snapshot }: { snapshot: Snapshot }) {
  const versions = snapshot.models.flatMap(model => model.versions);
  const ready = versions.reduce((sum, version) => sum + readyWorkers(version), 0);
  const workers = versions.reduce((sum, version) => sum + version.workers.length, 0);
  const errors = (snapshot.errorsPerSecond ?? 0) > 0;
  return (
    <dl class="figures">
      <Figure name="Requests" value={amount(snapshot.requestsPerSecond)} unit="per second" />
      <Figure name="Latency p99" value={milliseconds(snapshot.p99Ms)} unit={`p50 ${milliseconds(snapshot.p50Ms)}`} />
      <Figure name="Errors" value={amount(snapshot.errorsPerSecond)} unit="per second" tone={errors ? 'bad' : undefined} />
      <Figure name="Queue" value={count(snapshot.queue)} unit={`${count(snapshot.inFlight)} in flight`} />
      <Figure name="Workers ready" value={`${ready}`} unit={`of ${workers}`} tone={ready < workers ? 'warn' : undefined} />
      <Figure name="Models" value={count(snapshot.models.length)} unit={plural(versions.length, 'version')} />
    </dl>
  );
}
