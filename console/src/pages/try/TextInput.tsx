import { useId, useMemo, useState } from 'preact/hooks';
import type { Tensor } from '../../api/management';
import type { Input } from '../../api/predict';
import { Icon } from '../../parts/Icon';
import { exampleOf } from './forms';

interface Props {
  isJson: boolean;
  handler: string | undefined;
  inputs: Tensor[] | undefined;
  isRunning: boolean;
  /** Somebody writes: the form must not become another one under his hands. */
  onTyped: () => void;
  onInput: (input: Input) => void;
}

/** Text or JSON that is typed; until somebody does, JSON has an example of what is known of the model. */
export function TextInput({ isJson, handler, inputs, isRunning, onTyped, onInput }: Props) {
  const example = useMemo(() => (isJson ? exampleOf(handler, inputs, () => 0) : ''), [isJson, handler, inputs]);
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? example;
  const setText = (next: string): void => {
    setTyped(next);
    onTyped();
  };
  const fault = isJson ? faultOf(text) : undefined;
  const help = useId();
  const contentType = isJson ? 'application/json' : 'text/plain; charset=utf-8';
  const run = (): void => {
    if (fault === undefined && !isRunning) onInput({ body: new Blob([text], { type: contentType }), contentType });
  };
  const hasTensors = isJson && handler !== 'repeat' && inputs !== undefined && inputs.length > 0;
  return (
    <form
      class="stack"
      onSubmit={event => {
        event.preventDefault();
        run();
      }}
    >
      <label class="field">
        {isJson ? 'JSON' : 'Text'}
        <textarea
          class={isJson ? 'code' : undefined}
          rows={isJson ? 12 : 6}
          spellcheck={!isJson}
          value={text}
          aria-describedby={help}
          aria-invalid={fault !== undefined && text !== ''}
          onInput={event => setText(event.currentTarget.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run();
          }}
        />
        <span class="hint" id={help}>
          {fault !== undefined && text !== '' ? fault : 'Ctrl and Enter send it.'}
        </span>
      </label>
      {hasTensors && (
        <p class="muted">
          The model takes{' '}
          {inputs.map(input => (
            <code key={input.name}>
              {input.name}: {input.elementType}[{input.shape.map(size => (size < 0 ? '?' : size)).join(', ')}]{' '}
            </code>
          ))}
        </p>
      )}
      <div class="actions">
        <button type="submit" class="primary" disabled={isRunning || fault !== undefined}>
          <Icon name="play" />
          Run
        </button>
        {hasTensors && (
          <>
            <button type="button" onClick={() => setText(exampleOf(handler, inputs, () => 0))}>
              Zeros
            </button>
            <button type="button" onClick={() => setText(exampleOf(handler, inputs, Math.random))}>
              Random numbers
            </button>
          </>
        )}
      </div>
    </form>
  );
}

function faultOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `Not JSON: ${(error as Error).message}`;
  }
}
