import { useMemo } from 'preact/hooks';
import type { Answer } from '../../api/predict';
import { milliseconds } from '../../format';
import { Empty, Notice } from '../../parts/Notice';
import { AnswerView, summaryOf } from './AnswerView';
import { interpret } from './interpret';
import { Timings } from './Timings';
import type { Outcome } from './TryPage';

/** What the model said, and where the time went. */
export function AnswerCard({ outcome, picture }: { outcome: Outcome; picture: Blob | undefined }) {
  return (
    <section class="card" aria-labelledby="answer" aria-busy={outcome.state === 'running'}>
      <div class="card-head">
        <h2 id="answer">Answer</h2>
        {outcome.state === 'answered' && <span class="muted">{milliseconds(outcome.answer.milliseconds)} in this browser</span>}
      </div>
      <div class="card-body">
        <Body outcome={outcome} picture={picture} />
      </div>
    </section>
  );
}

function Body({ outcome, picture }: { outcome: Outcome; picture: Blob | undefined }) {
  switch (outcome.state) {
    case 'none':
      return <Empty icon="play" title="Nothing was sent yet." />;
    case 'running':
      return outcome.soFar === undefined ? <p class="muted">Waiting for the answer…</p> : <Parts bytes={outcome.soFar} />;
    case 'failed':
      return (
        <>
          <Notice tone="bad">{outcome.message}</Notice>
          {outcome.soFar !== undefined && <Parts bytes={outcome.soFar} />}
        </>
      );
    case 'answered':
      return <Answered answer={outcome.answer} picture={picture} />;
  }
}

const mostShown = 20_000;

// An answer that is not complete: its end, for it is written anew with each part.
function Parts({ bytes }: { bytes: Uint8Array<ArrayBuffer> }) {
  const end = new TextDecoder().decode(bytes.subarray(-mostShown));
  return (
    <pre class="block" tabIndex={0} aria-label="What has arrived">
      {bytes.length > mostShown ? `… ${end}` : end}
    </pre>
  );
}

function Answered({ answer, picture }: { answer: Answer; picture: Blob | undefined }) {
  const shown = useMemo(() => interpret(answer.contentType, answer.body), [answer]);
  return (
    <>
      <p role="status" class="visually-hidden">
        Answered: {summaryOf(shown)}
      </p>
      <AnswerView shown={shown} picture={picture} />
      <Timings answer={answer} />
    </>
  );
}
