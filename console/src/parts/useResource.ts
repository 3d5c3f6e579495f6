import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../api/client';
import { tokenTurn } from '../api/token';
import { useStore } from '../store';

export interface Resource<T> {
  value?: T;
  /** Why there is none, or none newer. */
  error?: string;
  reload: () => void;
}

/** What an address answers, asked again when the key changes or a token is given, and an interval after each answer while the page is seen. */
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>, everyMilliseconds?: number): Resource<T> {
  const [held, setHeld] = useState<{ asked: string; value?: T; error?: string }>({ asked: '' });
  const [turn, setTurn] = useState(0);
  const turnOfToken = useStore(tokenTurn);
  const asked = JSON.stringify([key, turnOfToken]); // what was answered to another token is not this one's
  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const value = await load(leaving.signal);
        if (!leaving.signal.aborted) setHeld({ asked, value });
      } catch (error) {
        if (!leaving.signal.aborted) setHeld(before => ({ asked, value: before.asked === asked ? before.value : undefined, error: messageOf(error) }));
      }
      wait();
    };
    const wait = (): void => {
      if (everyMilliseconds === undefined || leaving.signal.aborted) return;
      timer = setTimeout(() => (document.hidden ? wait() : void ask()), everyMilliseconds);
    };
    void ask();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [asked, turn]);
  const reload = (): void => setTurn(before => before + 1);
  return held.asked === asked ? { value: held.value, error: held.error, reload } : { reload };
}
