import { useState } from 'preact/hooks';
import { messageOf } from '../api/client';
import { announce, announceError } from './Announcer';

/** Something that a button asks of the server: once at a time, and what came of it is told. */
export function useAction(): { busy: boolean; run: (action: () => Promise<string>) => Promise<boolean> } {
  const [busy, setBusy] = useState(false);
  const run = async (action: () => Promise<string>): Promise<boolean> => {
    setBusy(true);
    try {
      announce(await action());
      return true;
    } catch (error) {
      announceError(messageOf(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}
