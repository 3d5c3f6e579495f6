import { useState } from 'preact/hooks';

/** A model that the server fetches from elsewhere, where its configuration permits it. */
export function FromUrl({ busy, onRegister }: { busy: string | undefined; onRegister: (url: string) => void }) {
  const [url, setUrl] = useState('');
  return (
    <section class="card" aria-labelledby="url">
      <div class="card-head">
        <h2 id="url">From a URL</h2>
      </div>
      <form
        class="card-body"
        onSubmit={event => {
          event.preventDefault();
          if (url.trim() !== '') onRegister(url.trim());
        }}
      >
        <label class="field">
          Address of an archive
          <input inputMode="url" autocomplete="off" spellcheck={false} placeholder="https://models.example.com/resnet18.mar" value={url} onInput={event => setUrl(event.currentTarget.value)} />
          <span class="hint">
            The server fetches it if its <code>allowedUrls</code> permit.
          </span>
        </label>
        <div class="actions">
          <button type="submit" disabled={busy !== undefined || url.trim() === ''}>
            {busy !== undefined && busy === url.trim() ? 'Fetching…' : 'Fetch and register'}
          </button>
        </div>
      </form>
    </section>
  );
}
