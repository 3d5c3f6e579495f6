import { amount, milliseconds } from '../format';
import { Plot } from './Plot';

/** What a server and one version of a model have in common. */
export interface Load {
  p50Ms?: number;
  p90Ms?: number;
  p99Ms?: number;
  queue?: number;
  inFlight?: number;
}

interface Props {
  times: number[];
  /** One of the load's numbers at each of the times. */
  of: (value: (load: Load) => number | undefined) => (number | null)[];
}

export function LatencyPlot({ times, of }: Props) {
  const series = [
    { label: 'p50', colour: 'series-1', values: of(load => load.p50Ms) },
    { label: 'p90', colour: 'series-2', values: of(load => load.p90Ms) },
    { label: 'p99', colour: 'series-4', values: of(load => load.p99Ms) },
  ];
  return <Plot title="Latency" times={times} format={milliseconds} empty="No requests in the last five minutes." series={series} />;
}

export function WaitingPlot({ times, of }: Props) {
  const series = [
    { label: 'queue', colour: 'series-3', values: of(load => load.queue) },
    { label: 'in flight', colour: 'series-1', values: of(load => load.inFlight) },
  ];
  return <Plot title="Waiting and running" times={times} format={amount} atLeast={1} series={series} />;
}
