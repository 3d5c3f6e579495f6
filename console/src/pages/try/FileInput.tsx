import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Input } from '../../api/predict';
import { bytes } from '../../format';
import { Icon } from '../../parts/Icon';
import { CameraDialog } from './CameraDialog';

interface Props {
  takesPictures: boolean;
  isRunning: boolean;
  onInput: (input: Input) => void;
}

/** A file that is chosen, dropped or pasted, or a photograph. It is sent at once. */
export function FileInput({ takesPictures, isRunning, onInput }: Props) {
  const [file, setFile] = useState<File | null>(null);
  const [isOver, setOver] = useState(false);
  const [hasCamera, showCamera] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const id = useId();
  const take = (taken: File | null | undefined): void => {
    if (!taken) return;
    setFile(taken);
    onInput({ body: taken, fileName: taken.name, contentType: taken.type });
  };

  // Anywhere on the page, but where text is typed.
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const paste = (event: ClipboardEvent): void => {
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
      const [pasted] = event.clipboardData?.files ?? [];
      if (pasted === undefined) return;
      event.preventDefault();
      latest.current(pasted);
    };
    document.addEventListener('paste', paste);
    return () => document.removeEventListener('paste', paste);
  }, []);

  return (
    <>
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
          take(event.dataTransfer?.files[0]);
        }}
      >
        <Icon name={takesPictures ? 'picture' : 'upload'} />
        <p>
          <label htmlFor={id}>
            <strong>{takesPictures ? 'Drop a picture here, or paste one' : 'Drop a file here'}</strong>
          </label>
        </p>
        <input
          ref={chooser}
          id={id}
          class="visually-hidden"
          type="file"
          accept={takesPictures ? 'image/*' : undefined}
          onChange={event => {
            take(event.currentTarget.files?.[0]);
            event.currentTarget.value = ''; // so that the same file can be chosen again
          }}
        />
        <div class="actions">
          <button type="button" onClick={() => chooser.current?.click()}>
            <Icon name="upload" />
            Choose a file
          </button>
          {takesPictures && (
            <button type="button" onClick={() => showCamera(true)}>
              <Icon name="camera" />
              Camera
            </button>
          )}
        </div>
      </div>
      {file !== null && (
        <div class="actions">
          <span class="muted">
            {file.name}, {bytes(file.size)}
          </span>
          <button type="button" class="small" disabled={isRunning} onClick={() => take(file)}>
            <Icon name="refresh" />
            Send it again
          </button>
        </div>
      )}
      {hasCamera && (
        <CameraDialog
          onClose={() => showCamera(false)}
          onPicture={picture => {
            showCamera(false);
            take(picture);
          }}
        />
      )}
    </>
  );
}
