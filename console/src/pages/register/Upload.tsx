import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { upload } from '../../api/upload';
import { bytes, percent } from '../../format';
import { Icon } from '../../parts/Icon';
import type { RegistrationState } from './useRegistration';

interface Props {
  registration: RegistrationState;
  /** Whether a file is on its way: nothing else is registered meanwhile. */
  onSending: (isSending: boolean) => void;
  onUploaded: (url: string) => Promise<void>;
}

/** Sends an archive into the model store, and has it registered when it is there. */
export function Upload({ registration, onSending, onUploaded }: Props) {
  const [sending, setSending] = useState<{ file: File; ratio: number } | null>(null);
  const [isOver, setOver] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const current = useRef<AbortController | null>(null);
  const id = useId();
  useEffect(() => () => current.current?.abort(), []);

  const isBusy = sending !== null || registration.busy !== undefined;
  const take = async (file: File | null | undefined): Promise<void> => {
    if (!file || isBusy) return;
    registration.reset();
    const attempt = (current.current = new AbortController());
    setSending({ file, ratio: 0 });
    onSending(true);
    try {
      await upload(file, attempt.signal, ratio => setSending({ file, ratio }));
      setSending({ file, ratio: 1 });
      await onUploaded(file.name);
    } catch (error) {
      registration.fail(error);
    } finally {
      setSending(null);
      onSending(false);
      if (chooser.current !== null) chooser.current.value = '';
    }
  };

  return (
    <section class="card" aria-labelledby="upload">
      <div class="card-head">
        <h2 id="upload">Upload</h2>
      </div>
      <div class="card-body">
        <div
          class={isOver ? 'drop over' : 'drop'}
          onDragOver={event => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={event => {
            event.preventDefault();
            setOver(false);
            void take(event.dataTransfer?.files[0]);
          }}
        >
          <Icon name="upload" />
          <p>
            <label htmlFor={id}>
              <strong>Drop an archive here</strong>
            </label>
          </p>
          <p class="muted">.mar, .tar.gz, .tgz or .onnx</p>
          <input ref={chooser} id={id} class="visually-hidden" type="file" accept=".mar,.gz,.tgz,.onnx" disabled={isBusy} onChange={event => void take(event.currentTarget.files?.[0])} />
          <button type="button" disabled={isBusy} onClick={() => chooser.current?.click()}>
            Choose a file
          </button>
        </div>
        {sending !== null && (
          <div role="group" aria-label="Upload">
            <div class="actions">
              <span class="grow">
                {sending.file.name}, {bytes(sending.file.size)}
              </span>
              <span class="muted">{sending.ratio < 1 ? percent(sending.ratio) : registration.busy === undefined ? 'The server checks it…' : 'Starting its workers…'}</span>
              {sending.ratio < 1 && (
                <button type="button" class="small" onClick={() => current.current?.abort()}>
                  Stop
                </button>
              )}
            </div>
            <progress max={1} value={sending.ratio} aria-label={`Upload of ${sending.file.name}`} />
          </div>
        )}
      </div>
    </section>
  );
}
