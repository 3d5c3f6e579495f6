import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../../api/client';
import { live } from '../../api/live';
import { describe } from '../../api/management';
import { findVersion, type Version } from '../../api/overview';
import { predict, type Answer, type Input } from '../../api/predict';
import { Empty } from '../../parts/Notice';
import { useResource } from '../../parts/useResource';
import { link, replace } from '../../router';
import { useStore } from '../../store';
import { AnswerCard } from './AnswerCard';
import { Commands } from './Commands';
import { InputCard } from './InputCard';
import { ModelChoice } from './ModelChoice';

/** What became of an input. */
export type Outcome =
  | { state: 'none' }
  | { state: 'running'; soFar?: Uint8Array<ArrayBuffer> }
  | { state: 'failed'; message: string; soFar?: Uint8Array<ArrayBuffer> }
  | { state: 'answered'; answer: Answer };

/** Try a model: something in, and see what it says, how long that took, and how a program would do it. */
export function TryPage({ model, version }: { model?: string; version?: string }) {
  const latest = useStore(live.latest);
  const first = latest?.models[0];
  const name = model ?? first?.name;
  const shown = name === undefined ? undefined : findVersion(latest, name, version);

  // A server that starts again has no models at first: what was typed and answered stays until another one is chosen.
  const tried = useRef<{ name: string; version: Version } | null>(null);
  if (latest === null) tried.current = null; // logged out
  else if (name !== undefined && shown !== undefined) tried.current = { name, version: shown };
  const isTried = tried.current !== null && tried.current.name === name && (version === undefined || tried.current.version.version === version);
  const kept = isTried ? tried.current?.version : undefined;

  // The address says what is shown, so that it can be passed on.
  useEffect(() => {
    if (name !== undefined && shown !== undefined && (model === undefined || version === undefined)) replace(link.try(name, shown.version));
  }, [name, shown?.version, model, version]);

  return (
    <>
      <div class="page-head">
        <h1>Try it</h1>
        {latest !== null && name !== undefined && <ModelChoice models={latest.models} model={name} version={shown?.version} />}
      </div>
      {latest !== null && name === undefined && (
        <Empty icon="box" title="There is no model to try.">
          <a href={link.register}>Register one</a> from the model store, or upload an archive.
        </Empty>
      )}
      {latest !== null && name !== undefined && shown === undefined && (
        <Empty icon="box" title={version === undefined ? `No model ${name} is registered.` : `There is no version ${version} of ${name}.`}>
          <a href={link.try()}>Choose another</a>
        </Empty>
      )}
      {name !== undefined && kept !== undefined && <Trial model={name} version={kept.version} handler={kept.handler} />}
    </>
  );
}

function Trial({ model, version, handler }: { model: string; version: string; handler?: string }) {
  const about = useResource(`${model}/${version}`, signal => describe(model, version, signal));
  const [input, setInput] = useState<Input | null>(null);
  const [outcome, setOutcome] = useState<Outcome>({ state: 'none' });
  const running = useRef<AbortController | null>(null);
  const place = `${model}/${version}`;

  // What another version said is not of this one.
  useEffect(() => {
    setOutcome({ state: 'none' });
    return () => {
      running.current?.abort();
      running.current = null;
    };
  }, [place]);

  const run = async (given: Input): Promise<void> => {
    running.current?.abort();
    const attempt = (running.current = new AbortController());
    setInput(given);
    setOutcome({ state: 'running' });
    const tell = (next: Outcome): void => {
      if (running.current === attempt) setOutcome(next);
    };
    let soFar: Uint8Array<ArrayBuffer> | undefined;
    try {
      const answer = await predict(model, version, given, attempt.signal, arrived => tell({ state: 'running', soFar: (soFar = arrived) }));
      tell({ state: 'answered', answer });
    } catch (error) {
      tell({ state: 'failed', message: attempt.signal.aborted ? 'Stopped.' : messageOf(error), soFar });
    }
  };

  return (
    <>
      <div class="columns">
        <InputCard key={model} handler={about.value?.handler ?? handler} inputs={about.value?.signature?.inputs} isRunning={outcome.state === 'running'} onRun={given => void run(given)} onStop={() => running.current?.abort()} />
        <AnswerCard outcome={outcome} picture={input?.body.type.startsWith('image/') ? input.body : undefined} />
      </div>
      {input !== null && outcome.state !== 'none' && <Commands model={model} version={version} input={input} />}
    </>
  );
}
