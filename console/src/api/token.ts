import { Store } from '../store';

const key = 'serve-console-token';

/** The management token; kept until the tab is closed or it is forgotten, and sent to nobody but this server. */
export const token = new Store<string | null>(read());

/** Counts how often one was given or taken back: then all is asked anew, also with the same one, which the server may take by now. */
export const tokenTurn = new Store(0);

/** Whether the page asks for a token now. */
export const tokenAsked = new Store(false);

// Who has said that there is none is not asked again each time that the server refuses something.
let isDeclined = false;

/** The server has refused what was sent without a token, or with this one. */
export function tokenRefused(): void {
  if (!isDeclined) tokenAsked.value = true;
}

export function askForToken(): void {
  tokenAsked.value = true;
}

export function useToken(text: string): void {
  keep(text);
  isDeclined = false;
  tokenAsked.value = false;
  token.value = text;
  tokenTurn.value++;
}

/** Goes on without one, until somebody asks for it. */
export function goWithoutToken(): void {
  keep(null);
  isDeclined = true;
  tokenAsked.value = false;
  token.value = null;
  tokenTurn.value++;
}

/** The header that carries it. */
export function authorization(): Record<string, string> {
  return token.value === null ? {} : { Authorization: `Bearer ${token.value}` };
}

function read(): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

function keep(text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  } catch {
    // It holds until the page is left.
  }
}
