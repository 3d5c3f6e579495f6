import type { StoredArchive } from '../../api/upload';
import { bytes } from '../../format';
import { Icon } from '../../parts/Icon';
import { Empty, Notice } from '../../parts/Notice';
import type { Resource } from '../../parts/useResource';

interface Props {
  store: Resource<StoredArchive[]>;
  busy: string | undefined;
  onRegister: (url: string) => void;
}

/** What lies in the model store and is not registered. */
export function FromStore({ store, busy, onRegister }: Props) {
  return (
    <section class="card" aria-labelledby="store">
      <div class="card-head">
        <h2 id="store">In the model store</h2>
        <button type="button" class="small" onClick={store.reload}>
          <Icon name="refresh" />
          Look again
        </button>
      </div>
      <Body store={store} busy={busy} onRegister={onRegister} />
    </section>
  );
}

function Body({ store: { value, error }, busy, onRegister }: Props) {
  if (value === undefined) {
    return <div class="card-body">{error === undefined ? <p class="muted">Looking…</p> : <Notice tone="bad">{error}</Notice>}</div>;
  }
  // The list is that of before.
  const stale = error !== undefined && (
    <div class="card-body">
      <Notice tone="bad">{error}</Notice>
    </div>
  );
  if (value.length === 0) {
    return stale || (
      <Empty icon="box" title="All that is in the store is registered.">
        Copy a model into the store, or upload an archive.
      </Empty>
    );
  }
  return (
    <>
      {stale}
      <ul class="rows">
        {value.map(one => (
          <li key={one.url}>
            <span class="grow">
              <strong>{one.modelName}</strong> {one.modelVersion}
              <span class="muted detail">
                {one.url}
                {one.size !== undefined && `, ${bytes(one.size)}`}
              </span>
            </span>
            <button type="button" class="small" disabled={busy !== undefined} aria-label={`Register ${one.modelName} ${one.modelVersion}`} onClick={() => onRegister(one.url)}>
              {busy === one.url ? 'Starting…' : 'Register'}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
