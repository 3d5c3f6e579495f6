import type { Answer } from '../../api/predict';
import { milliseconds, plural } from '../../format';
import { stages } from '../../stages';

/** Where the time of one request went: in each stage of the server, and on the way. Of an answer in parts the server tells the first stages only. */
export function Timings({ answer }: { answer: Answer }) {
  if (answer.timings.length === 0) return null;
  const known = stages.flatMap(stage => answer.timings.filter(timing => timing.stage === stage.name).map(timing => ({ ...stage, milliseconds: timing.milliseconds })));
  const total = answer.timings.find(timing => timing.stage === 'total')?.milliseconds;
  return (
    <div class="timings">
      <h3>
        {total === undefined ? 'In the server' : `${milliseconds(total)} in the server`}
        {answer.batch !== undefined && `, in a batch of ${plural(answer.batch, 'request')}`}
      </h3>
      <div class="timeline" aria-hidden="true">
        {known.map(stage => (
          <span key={stage.name} title={`${stage.title}: ${milliseconds(stage.milliseconds)}`} style={{ flexGrow: stage.milliseconds, background: `var(--${stage.colour})` }} />
        ))}
      </div>
      <ul class="legend" aria-label="Time in each stage">
        {known.map(stage => (
          <li key={stage.name}>
            <span class="swatch" aria-hidden="true" style={{ background: `var(--${stage.colour})` }} />
            {stage.title} <b>{milliseconds(stage.milliseconds)}</b>
          </li>
        ))}
        {total !== undefined && (
          <li>
            network and browser <b>{milliseconds(Math.max(0, answer.milliseconds - total))}</b>
          </li>
        )}
      </ul>
      {answer.requestId !== null && (
        <p class="muted">
          Request <code>{answer.requestId}</code>
        </p>
      )}
    </div>
  );
}
