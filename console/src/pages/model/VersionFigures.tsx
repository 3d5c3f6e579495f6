import type { Version } from '../../api/overview';
import { amount, count, milliseconds, percent } from '../../format';
import { Figure } from '../../parts/Figure';

export function VersionFigures({ version }: { version: Version }) {
  const headroom = version.headroomRatio;
  return (
    <dl class="figures">
      <Figure name="Requests" value={amount(version.requestsPerSecond)} unit="per second" />
      <Figure name="Latency p99" value={milliseconds(version.p99Ms)} unit={`p50 ${milliseconds(version.p50Ms)}`} />
      <Figure name="Errors" value={amount(version.errorsPerSecond)} unit="per second" tone={version.errorsPerSecond ? 'bad' : undefined} />
      <Figure name="Queue" value={count(version.queue)} unit={`of ${count(version.queueCapacity)}`} />
      <Figure name="Mean batch" value={amount(version.meanBatch)} unit={`of ${count(version.batchSize)}`} />
      <Figure name="Headroom" value={percent(headroom)} unit="of its capacity" tone={headroom !== undefined && headroom < 0.1 ? 'bad' : undefined} />
    </dl>
  );
}
