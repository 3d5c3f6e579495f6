import { useState } from 'preact/hooks';
import { setDefault, unregister } from '../../api/management';
import type { Version } from '../../api/overview';
import { Dialog } from '../../parts/Dialog';
import { Icon } from '../../parts/Icon';
import { Notice } from '../../parts/Notice';
import { useAction } from '../../parts/useAction';
import { link, route } from '../../router';

/** What can be done with a version. */
export function VersionActions({ model, version }: { model: string; version: Version }) {
  const [asking, setAsking] = useState(false);
  const { busy, run } = useAction();
  const removal = useAction();
  return (
    <div class="actions">
      <a class="button" href={link.try(model, version.version)}>
        <Icon name="play" />
        Try it
      </a>
      {!version.isDefault && (
        <button type="button" disabled={busy} onClick={() => void run(async () => (await setDefault(model, version.version)).status)}>
          <Icon name="star" />
          Make it the default
        </button>
      )}
      <button type="button" class="danger" disabled={removal.busy} onClick={() => setAsking(true)}>
        <Icon name="trash" />
        {removal.busy ? 'Unregistering…' : 'Unregister'}
      </button>
      {asking && <UnregisterDialog model={model} version={version} removal={removal} onClose={() => setAsking(false)} />}
    </div>
  );
}

interface UnregisterProps {
  model: string;
  version: Version;
  /** Goes on where the dialog is closed. */
  removal: ReturnType<typeof useAction>;
  onClose: () => void;
}

function UnregisterDialog({ model, version, removal: { busy, run }, onClose }: UnregisterProps) {
  const [typed, setTyped] = useState('');
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy || typed.trim() !== model) return;
    const place = route.value;
    const isGone = await run(async () => (await unregister(model, version.version)).status);
    if (isGone && route.value === place) location.hash = link.overview; // who has gone elsewhere meanwhile stays there
    onClose();
  };
  return (
    <Dialog title={`Unregister ${model} ${version.version}?`} onClose={onClose}>
      <form onSubmit={event => void submit(event)}>
        <p>Its accepted requests are finished, then its workers stop, and further requests are answered 404. Its files stay in the model store.</p>
        {(version.requestsPerSecond ?? 0) > 0 && <Notice tone="warn">It is serving requests now.</Notice>}
        <label class="field">
          <span>
            Type <strong>{model}</strong> to confirm
          </span>
          <input autocomplete="off" spellcheck={false} autofocus value={typed} onInput={event => setTyped(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="button" onClick={onClose}>
            {busy ? 'Close' : 'Cancel'}
          </button>
          <button type="submit" class="primary danger" disabled={busy || typed.trim() !== model}>
            {busy ? 'Finishing its requests…' : 'Unregister'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
