import { authorization, tokenRefused, tokenTurn } from './token';

/** An error as the server words it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly body = message,
  ) {
    super(message);
  }
}

/** An address of the management listener. The page lies one level below its root, wherever a proxy may have that. */
export function address(path: string): URL {
  return new URL('../' + path.replace(/^\//, ''), document.baseURI);
}

/** A request with the token. Answers of any status come back; only a server that cannot be reached throws. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const turn = tokenTurn.value;
  let answer: Response;
  try {
    answer = await fetch(address(path), { cache: 'no-store', ...init, headers: { ...init.headers, ...authorization() } });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, 'Unreachable', 'The server cannot be reached.');
  }
  // Another token may have been given while this answer was on its way.
  if (answer.status === 401 && turn === tokenTurn.value) tokenRefused();
  return answer;
}

/** A request whose answer is JSON. */
export async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await send(path, init);
  if (!answer.ok) throw errorOf(answer.status, await answer.text());
  return (await answer.json()) as T;
}

/** What an answer that is no 2xx says. */
export function errorOf(status: number, text: string): ApiError {
  try {
    const { type, message, error } = JSON.parse(text) as { type?: string; message?: string; error?: string };
    const words = message ?? error;
    if (typeof words === 'string') return new ApiError(status, type ?? 'Error', words, text);
  } catch {
    // No JSON: a proxy's page, or a handler's own text.
  }
  return new ApiError(status, 'Error', text.trim().slice(0, 500) || `The server answered ${status}.`, text);
}

/** A path made of names, each escaped. */
export function path(...segments: string[]): string {
  return segments.map(encodeURIComponent).join('/');
}

/** What went wrong, for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
