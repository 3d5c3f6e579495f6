import { useState } from 'preact/hooks';
import { messageOf } from '../../api/client';
import { register, type Registration } from '../../api/management';

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
  const start = async (registration: Registration): Promise<boolean> => {
    setState({ busy: registration.url });
    try {
      const { status } = await register(registration);
      const [, model, version] = /^Model "(.+)" Version: (\S+) registered/.exec(status) ?? [];
      setState({ done: { text: status, model, version } });
      return true;
    } catch (error) {
      setState({ error: messageOf(error) });
      return false;
    }
  };
  return { ...state, start, fail: error => setState({ error: messageOf(error) }), reset: () => setState({}) };
}
