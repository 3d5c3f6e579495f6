import { useState } from 'preact/hooks';
import { goWithoutToken, token, tokenAsked, useToken } from '../api/token';
import { useStore } from '../store';
import { Dialog } from './Dialog';
import { Notice } from './Notice';

// What a bearer token may have (RFC 6750, section 2.1): a browser refuses to send anything else, and does not say why.
const tokens = /^[A-Za-z0-9._~+/-]+=*$/;

/** Asks for the management token when the server does. */
export function TokenDialog() {
  const asked = useStore(tokenAsked);
  const current = useStore(token);
  const [text, setText] = useState('');
  const [isWrong, setWrong] = useState(false);
  if (!asked) return null;
  const submit = (event: Event): void => {
    event.preventDefault();
    const given = text.trim();
    if (given === '') return;
    setWrong(!tokens.test(given));
    if (!tokens.test(given)) return;
    useToken(given);
    setText('');
  };
  const close = (): void => {
    setText('');
    setWrong(false);
    goWithoutToken();
  };
  return (
    <Dialog title="This server asks for a token" onClose={close}>
      <form onSubmit={submit}>
        {isWrong && <Notice tone="bad">A token has letters, digits and - . _ ~ + / = only; something else was pasted with it.</Notice>}
        {!isWrong && current !== null && <Notice tone="bad">The server does not take this token for management.</Notice>}
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
