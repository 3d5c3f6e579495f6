import { useEffect, useState } from 'preact/hooks';
import { live } from '../../api/live';
import type { Input } from '../../api/predict';
import { CopyButton } from '../../parts/CopyButton';
import { useStore } from '../../store';
import { curl, inferenceAddress, python } from './commandText';

type Language = 'curl' | 'Python';

/** How a program would have asked the same. */
export function Commands({ model, version, input }: { model: string; version: string; input: Input }) {
  const [language, setLanguage] = useState<Language>('curl');
  const latest = useStore(live.latest);
  const [text, setText] = useState<string>();
  useEffect(() => {
    let isCurrent = true;
    if (input.fileName === undefined) void input.body.text().then(read => isCurrent && setText(read));
    return () => {
      isCurrent = false;
    };
  }, [input]);
  const command = { address: inferenceAddress(latest?.inferenceAddress, model, version), input, text, needsToken: latest?.inferenceNeedsToken ?? false };
  const shown = language === 'curl' ? curl(command) : python(command);
  return (
    <section class="card" aria-labelledby="commands">
      <div class="card-head">
        <h2 id="commands">The same from a program</h2>
        <div class="segments" role="group" aria-label="Language">
          {(['curl', 'Python'] as const).map(one => (
            <button type="button" key={one} aria-pressed={one === language} onClick={() => setLanguage(one)}>
              {one}
            </button>
          ))}
        </div>
      </div>
      <div class="card-body">
        <div class="copyable">
          <pre class="block" tabIndex={0} aria-label={`${language} command`}>
            {shown}
          </pre>
          <CopyButton text={shown} />
        </div>
      </div>
    </section>
  );
}
