import { columns } from '../../api/history';
import { live } from '../../api/live';
import { findVersion, type Snapshot, type Version } from '../../api/overview';
import { amount, milliseconds } from '../../format';
import { LatencyPlot, WaitingPlot } from '../../parts/LoadPlots';
import { Plot } from '../../parts/Plot';
import { stages } from '../../stages';

/** One version over the last five minutes. */
export function VersionPlots({ model, version }: { model: string; version: string }) {
  const { times, of } = columns(live.history);
  const its = (value: (version: Version) => number | undefined) =>
    of((snapshot: Snapshot) => {
      const found = findVersion(snapshot, model, version);
      return found === undefined ? undefined : value(found);
    });
  const measured = stages.map(stage => ({ label: stage.title, colour: stage.colour, values: its(one => timeIn(one, stage.name)) }));
  return (
    <section aria-labelledby="last-minutes" class="plots">
      <h2 id="last-minutes" class="visually-hidden">
        The last five minutes
      </h2>
      <Plot title="Requests per second" times={times} format={amount} atLeast={1} series={[{ label: 'requests', colour: 'series-1', values: its(one => one.requestsPerSecond) }, { label: 'errors', colour: 'series-4', values: its(one => one.errorsPerSecond) }]} />
      <LatencyPlot times={times} of={its} />
      <WaitingPlot times={times} of={its} />
      <Plot title="Where a request's time goes" times={times} format={milliseconds} series={measured} stacked wide empty="No requests in the last five minutes." />
      <Plot title="Mean batch" times={times} format={amount} atLeast={1} empty="No batches in the last five minutes." series={[{ label: 'requests in a batch', colour: 'series-5', values: its(one => one.meanBatch) }]} />
    </section>
  );
}

// A stage that nothing passed through took no time, where others did.
function timeIn({ stagesMs }: Version, stage: string): number | undefined {
  return stagesMs === undefined || Object.keys(stagesMs).length === 0 ? undefined : (stagesMs[stage] ?? 0);
}
