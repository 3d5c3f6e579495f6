import { useEffect, useState } from 'preact/hooks';

/** A value that components follow. */
export class Store<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(next: T) {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const listener of [...this.listeners]) listener();
  }

  /** Calls back after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** The store's value; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, redraw] = useState({});
  const drawn = store.value;
  useEffect(() => {
    // It may have changed since it was drawn, when nobody listened yet.
    if (!Object.is(drawn, store.value)) redraw({});
    return store.subscribe(() => redraw({}));
  }, [store]);
  return drawn;
}
