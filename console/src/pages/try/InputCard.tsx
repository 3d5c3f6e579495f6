import { useState } from 'preact/hooks';
import type { Tensor } from '../../api/management';
import type { Input } from '../../api/predict';
import { Icon } from '../../parts/Icon';
import { FileInput } from './FileInput';
import { formOf, formTitles, type Form } from './forms';
import { TextInput } from './TextInput';

interface Props {
  handler: string | undefined;
  inputs: Tensor[] | undefined;
  isRunning: boolean;
  onRun: (input: Input) => void;
  onStop: () => void;
}

/** Where something is given to the model, in the form that its handler takes, or in another. */
export function InputCard({ handler, inputs, isRunning, onRun, onStop }: Props) {
  const [chosen, choose] = useState<Form | null>(null);
  const form = chosen ?? formOf(handler, inputs);
  return (
    <section class="card" aria-labelledby="input">
      <div class="card-head">
        <h2 id="input">Input</h2>
        <div class="segments" role="group" aria-label="What to send">
          {(Object.keys(formTitles) as Form[]).map(one => (
            <button type="button" key={one} aria-pressed={one === form} onClick={() => choose(one)}>
              {formTitles[one]}
            </button>
          ))}
        </div>
      </div>
      <div class="card-body">
        {handler !== undefined && (
          <p class="muted">
            Its handler is <code>{handler}</code>.
          </p>
        )}
        {form === 'picture' || form === 'file' ? (
          <FileInput key={form} takesPictures={form === 'picture'} onInput={onRun} isRunning={isRunning} />
        ) : (
          <TextInput key={form} isJson={form === 'json'} handler={handler} inputs={inputs} onTyped={() => choose(form)} onInput={onRun} isRunning={isRunning} />
        )}
        {isRunning && (
          <button type="button" onClick={onStop}>
            <Icon name="close" />
            Stop
          </button>
        )}
      </div>
    </section>
  );
}
