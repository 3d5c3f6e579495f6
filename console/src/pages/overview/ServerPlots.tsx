import { columns } from '../../api/history';
import type { Snapshot } from '../../api/overview';
import { amount, percent } from '../../format';
import { LatencyPlot, WaitingPlot } from '../../parts/LoadPlots';
import { Plot } from '../../parts/Plot';

const most = 6; // lines that can still be told apart

/** The server over the last five minutes. */
export function ServerPlots({ history }: { history: readonly Snapshot[] }) {
  const { times, of } = columns(history);
  const latest = history.at(-1);
  const models = busiest(latest);
  const devices = latest?.devices.slice(0, most) ?? [];
  return (
    <section aria-labelledby="last-minutes" class="plots">
      <h2 id="last-minutes" class="visually-hidden">
        The last five minutes
      </h2>
      <Plot title="Requests per second" times={times} format={amount} atLeast={1} series={[{ label: 'all', colour: 'series-1', values: of(s => s.requestsPerSecond) }]} />
      <LatencyPlot times={times} of={of} />
      <Plot
        title="Errors per second"
        times={times}
        format={amount}
        atLeast={1}
        series={[
          { label: 'server (5xx)', colour: 'series-4', values: of(s => s.errorsPerSecond) },
          { label: 'client (4xx)', colour: 'series-3', values: of(s => s.clientErrorsPerSecond) },
        ]}
      />
      <WaitingPlot times={times} of={of} />
      <Plot
        title="Mean batch"
        times={times}
        format={amount}
        atLeast={1}
        empty="No batches in the last five minutes."
        series={models
          .map((name, index) => ({ label: name, colour: `series-${index + 1}`, values: of(s => meanBatch(s, name)) }))
          .filter(one => one.values.some(value => value !== null))}
      />
      <Plot
        title="Device use"
        times={times}
        format={percent}
        atLeast={1}
        empty="No device tells how busy it is."
        series={devices.map((device, index) => ({ label: device.device, colour: `series-${index + 1}`, values: of(s => s.devices.find(one => one.device === device.device)?.utilizationRatio) }))}
      />
    </section>
  );
}

function busiest(latest: Snapshot | undefined): string[] {
  const rate = (name: string): number => latest?.models.find(model => model.name === name)?.versions.reduce((sum, version) => sum + (version.requestsPerSecond ?? 0), 0) ?? 0;
  const names = latest?.models.map(model => model.name) ?? [];
  if (names.length <= most) return names;
  // In the order of their names, so that colours stay when the order of their rates changes.
  return [...names].sort((a, b) => rate(b) - rate(a)).slice(0, most).sort();
}

function meanBatch(snapshot: Snapshot, name: string): number | null {
  const versions = snapshot.models.find(model => model.name === name)?.versions ?? [];
  return versions.find(version => version.isDefault)?.meanBatch ?? null;
}
