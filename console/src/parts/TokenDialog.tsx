import { useState } from 'preact/hooks';
import { goWithoutToken, token, tokenAsked, useToken } from '../api/token';
import { useStore } from '../store';
import { Dialog } from './Dialog';
import { Notice } from './Notice';

/** Asks for the management token when the server does. */
export function TokenDialog() {
  const asked = useStore(tokenAsked);
  const current = useStore(token);
  const [text, setText] = useState('');
  if (!asked) return null;
  const submit = (event: Event): void => {
    event.preventDefault();
    if (text.trim() === '') return;
    useToken(text.trim());
    setText('');
  };
  const close = (): void => {
    setText('');
    goWithoutToken();
  };
  return (
    <Dialog title="This server asks for a token" onClose={close}>
      <form onSubmit={submit}>
        {current !== null && <Notice tone="bad">The server does not take this token for management.</Notice>}
        <p class="muted">
          One of its <code>managementTokens</code>, or the management key of its key file. It stays in this tab until you close it or log out.
        </p>
        <label class="field">
          Management token
          <input type="password" autocomplete="off" spellcheck={false} autofocus value={text} onInput={event => setText(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Use token
          </button>
        </div>
      </form>
    </Dialog>
  );
}
