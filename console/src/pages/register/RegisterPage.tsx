import { useEffect, useRef, useState } from 'preact/hooks';
import { listArchives } from '../../api/upload';
import { Notice } from '../../parts/Notice';
import { useResource } from '../../parts/useResource';
import { link } from '../../router';
import { FromStore } from './FromStore';
import { FromUrl } from './FromUrl';
import { Options, type StartOptions } from './Options';
import { Upload } from './Upload';
import { useRegistration } from './useRegistration';

/** Adds a model: one that lies in the model store, one that is uploaded, or one that the server fetches. */
export function RegisterPage() {
  const [options, setOptions] = useState<StartOptions>({ model_name: '', initial_workers: '1', batch_size: '' });
  const registration = useRegistration();
  const store = useResource('archives', listArchives);
  // What holds when the upload has ended, not when it began.
  const latest = useRef(options);
  latest.current = options;
  const register = async (url: string): Promise<void> => {
    const sent = latest.current;
    // A name that was typed meanwhile is another model's.
    if (await registration.start({ url, ...sent })) setOptions(before => (before.model_name === sent.model_name ? { ...before, model_name: '' } : before));
    store.reload();
  };
  const [isSending, setSending] = useState(false);
  const busy = registration.busy ?? (isSending ? '' : undefined);
  const { done, error } = registration;
  const result = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (done !== undefined || error !== undefined) result.current?.scrollIntoView({ block: 'nearest' });
  }, [done, error]);
  return (
    <>
      <div class="page-head">
        <h1>Register a model</h1>
      </div>
      <div ref={result} role="status" class="result">
        {error !== undefined && (
          <Notice tone="bad" title="It was not registered:">
            {error}
          </Notice>
        )}
        {done !== undefined && (
          <Notice tone="info" title={done.text}>
            {done.model !== undefined && (
              <>
                <a href={link.model(done.model, done.version)}>Its page</a> · <a href={link.try(done.model, done.version)}>Try it</a>
              </>
            )}
          </Notice>
        )}
      </div>
      <Options options={options} onChange={setOptions} />
      <div class="columns">
        <div class="stack">
          <Upload registration={registration} onSending={setSending} onUploaded={url => register(url)} />
          <FromUrl busy={busy} onRegister={url => void register(url)} />
        </div>
        <FromStore store={store} busy={busy} onRegister={url => void register(url)} />
      </div>
    </>
  );
}
