import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../api/client';
import { token } from '../api/token';
import { useStore } from '../store';

export interface Resource<T> {
  value?: T;
  /** Why there is none, or none newer. */
  error?: string;
  reload: () => void;
}

/** What an address answers, asked again when the key or the token changes, and each interval while the page is seen. */
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>, everyMilliseconds?: number): Resource<T> {
  const [held, setHeld] = useState<{ key: string; value?: T; error?: string }>({ key });
  const [turn, setTurn] = useState(0);
  const current = useStore(token);
  useEffect(() => {
    const leaving = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        const value = await load(leaving.signal);
        if (!leaving.signal.aborted) setHeld({ key, value });
      } catch (error) {
        if (!leaving.signal.aborted) setHeld(before => ({ key, value: before.key === key ? before.value : undefined, error: messageOf(error) }));
      }
    };
    void ask();
    const timer = everyMilliseconds === undefined ? undefined : setInterval(() => document.hidden || void ask(), everyMilliseconds);
    return () => {
      leaving.abort();
      clearInterval(timer);
    };
  }, [key, turn, current]);
  const reload = (): void => setTurn(before => before + 1);
  return held.key === key ? { value: held.value, error: held.error, reload } : { reload };
}
