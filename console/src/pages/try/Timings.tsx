import type { Answer } from '../../api/predict';
import { milliseconds, plural } from '../../format';
import { stages } from '../../stages';

/** Where the time of one request went: in each stage of the server, and on the way. */
export function Timings({ answer }: { answer: Answer }) {
  if (answer.timings.length === 0) return null;
  const known = stages.flatMap(stage => answer.timings.filter(timing => timing.stage === stage.name).map(timing => ({ ...stage, milliseconds: timing.milliseconds })));
  const total = answer.timings.find(timing => timing.stage === 'total')?.milliseconds;
  const inServer = total ?? known.reduce((sum, stage) => sum + stage.milliseconds, 0);
  const rest = Math.max(0, answer.milliseconds - inServer);
  return (
    <div class="timings">
      <h3>
        {milliseconds(inServer)} in the server{answer.batch !== undefined && `, in a batch of ${plural(answer.batch, 'request')}`}
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
        <li>
          network and browser <b>{milliseconds(rest)}</b>
        </li>
      </ul>
      {answer.requestId !== null && (
        <p class="muted">
          Request <code>{answer.requestId}</code>
        </p>
      )}
    </div>
  );
}
