import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../../api/client';
import { register, type Registration } from '../../api/management';
import { announce, announceError } from '../../parts/Announcer';

export interface Registered {
  text: string;
  model?: string;
  version?: string;
}

export interface RegistrationState {
  /** What is being registered now. */
  busy?: string;
  done?: Registered;
  error?: string;
  start: (registration: Registration) => Promise<boolean>;
  fail: (error: unknown) => void;
  reset: () => void;
}

/** Registers one model at a time, and holds what the server said. */
export function useRegistration(): RegistrationState {
  const [state, setState] = useState<Pick<RegistrationState, 'busy' | 'done' | 'error'>>({});
  // It takes as long as its workers take to start; who has gone to another page meanwhile is told there.
  const isHere = useRef(true);
  useEffect(
    () => () => {
      isHere.current = false;
    },
    [],
  );
  const fail = (error: unknown): void => {
    if (isHere.current) setState({ error: messageOf(error) });
    else announceError(messageOf(error));
  };
  const start = async (registration: Registration): Promise<boolean> => {
    setState({ busy: registration.url });
    try {
      const { status } = await register(registration);
      const [, model, version] = /^Model "(.+)" Version: (\S+) registered/.exec(status) ?? [];
      if (isHere.current) setState({ done: { text: status, model, version } });
      else announce(status);
      return true;
    } catch (error) {
      fail(error);
      return false;
    }
  };
  return { ...state, start, fail, reset: () => setState({}) };
}
