import { useState } from 'preact/hooks';
import { setDefault, unregister } from '../../api/management';
import type { Version } from '../../api/overview';
import { Dialog } from '../../parts/Dialog';
import { Icon } from '../../parts/Icon';
import { Notice } from '../../parts/Notice';
import { useAction } from '../../parts/useAction';
import { link } from '../../router';

/** What can be done with a version. */
export function VersionActions({ model, version }: { model: string; version: Version }) {
  const [asking, setAsking] = useState(false);
  const { busy, run } = useAction();
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
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        <Icon name="trash" />
        Unregister
      </button>
      {asking && <UnregisterDialog model={model} version={version} onClose={() => setAsking(false)} />}
    </div>
  );
}

function UnregisterDialog({ model, version, onClose }: { model: string; version: Version; onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const { busy, run } = useAction();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (typed.trim() !== model) return;
    if (await run(async () => (await unregister(model, version.version)).status)) location.hash = link.overview;
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
            Cancel
          </button>
          <button type="submit" class="primary danger" disabled={busy || typed.trim() !== model}>
            {busy ? 'Finishing its requests…' : 'Unregister'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
