import { Store } from '../store';

const key = 'serve-console-token';

/** The management token; kept until the tab is closed, and sent to nobody but this server. */
export const token = new Store<string | null>(sessionStorage.getItem(key));

/** Whether the server has refused what was sent without a token, or with this one. */
export const tokenAsked = new Store(false);

export function useToken(text: string): void {
  sessionStorage.setItem(key, text);
  tokenAsked.value = false;
  token.value = text;
}

export function forgetToken(): void {
  sessionStorage.removeItem(key);
  token.value = null;
}

/** The header that carries it. */
export function authorization(): Record<string, string> {
  return token.value === null ? {} : { Authorization: `Bearer ${token.value}` };
}
