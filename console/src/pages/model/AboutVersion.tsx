import { describe, type Description, type Tensor } from '../../api/management';
import { count, milliseconds } from '../../format';
import { Notice } from '../../parts/Notice';
import { useResource } from '../../parts/useResource';

const interval = 5_000;

/** How a version is set up, what its model takes and answers, and what the server noticed about it. */
export function AboutVersion({ model, version }: { model: string; version: string }) {
  const { value, error } = useResource(`${model}/${version}`, signal => describe(model, version, signal), interval);
  return (
    <section class="card" aria-labelledby="about">
      <div class="card-head">
        <h2 id="about">Set-up</h2>
      </div>
      <div class="card-body">
        {error !== undefined && <Notice tone="bad">{error}</Notice>}
        {value !== undefined ? <Body about={value} /> : error === undefined && <p class="muted">Reading…</p>}
      </div>
    </section>
  );
}

function Body({ about }: { about: Description }) {
  const facts: [string, string][] = [
    ['Handler', about.handler ?? 'not known yet'],
    ['From', about.modelUrl],
    ['Device', about.deviceIds === undefined ? about.deviceType : `${about.deviceType} ${about.deviceIds.join(', ')}`],
    ['Workers', about.minWorkers === about.maxWorkers ? count(about.minWorkers) : `${about.minWorkers} to ${about.maxWorkers}`],
    ['Instances in each', count(about.instances)],
    ['Largest batch', count(about.batchSize)],
    ['Batching', about.batching === 'delayed' ? `waits up to ${milliseconds(about.maxBatchDelay)}` : about.batching],
    ['Queue', `up to ${count(about.maxQueueSize)}`],
    ['Answers within', `${count(about.responseTimeout)} s`],
    ...(about.latencyTarget === undefined ? [] : [['Latency target', milliseconds(about.latencyTarget)] as [string, string]]),
  ];
  return (
    <>
      {about.bottleneck !== undefined && <Notice tone="info">{about.bottleneck}</Notice>}
      {about.notes?.map(note => (
        <Notice tone="info" key={note}>
          {note}
        </Notice>
      ))}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {about.signature !== undefined && (
        <dl class="facts">
          <Tensors title="Inputs" tensors={about.signature.inputs} />
          <Tensors title="Outputs" tensors={about.signature.outputs} />
        </dl>
      )}
    </>
  );
}

function Tensors({ title, tensors }: { title: string; tensors: Tensor[] }) {
  return (
    <div>
      <dt>{title}</dt>
      {tensors.map(tensor => (
        <dd key={tensor.name}>
          <code>
            {tensor.name}: {tensor.elementType}[{tensor.shape.map(size => (size < 0 ? '?' : size)).join(', ')}]
          </code>
        </dd>
      ))}
    </div>
  );
}
