import { Store } from '../store';
import { ApiError, errorOf, send } from './client';
import { events } from './events';
import { remember } from './history';
import type { Snapshot } from './overview';
import { token, tokenTurn } from './token';

/** How the page stands with the server. */
export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'lost'; reason: string; retryAt: number }
  | { state: 'refused' };

const silence = 8_000; // the server says something each second
const firstWait = 1_000;
const longestWait = 15_000;

/**
 * The last five minutes of the server, and the connection that they come by: it is made again for as long as the page is
 * seen. A browser has six connections to a server (HTTP/1.1) for all its tabs together; those that nobody sees leave theirs.
 */
class Live {
  readonly latest = new Store<Snapshot | null>(null);
  readonly connection = new Store<Connection>({ state: 'connecting' });
  private kept: readonly Snapshot[] = [];
  private wait = firstWait;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private attempt: AbortController | undefined;

  /** Oldest first, without workers. */
  get history(): readonly Snapshot[] {
    return this.kept;
  }

  start(): void {
    tokenTurn.subscribe(() => {
      if (token.value === null) this.forget(); // at once: the server may not be there to refuse
      this.reconnect();
    });
    addEventListener('online', () => this.reconnect());
    document.addEventListener('visibilitychange', () => this.reconnect());
    this.reconnect();
  }

  /** Drops the connection that there is, and asks anew, at once, or when the page is seen again. */
  reconnect(): void {
    clearTimeout(this.retry);
    this.attempt?.abort();
    this.attempt = undefined;
    if (document.hidden) return;
    this.attempt = new AbortController();
    void this.follow(this.attempt);
  }

  private forget(): void {
    this.kept = [];
    this.latest.value = null;
  }

  private async follow(attempt: AbortController): Promise<void> {
    if (this.connection.value.state !== 'lost') this.connection.value = { state: 'connecting' };
    let reason = 'The server has closed the connection.';
    let watch: ReturnType<typeof setTimeout> | undefined;
    const stillThere = (): void => {
      clearTimeout(watch);
      watch = setTimeout(() => attempt.abort(new ApiError(0, 'Silent', 'The server has gone silent.')), silence);
    };
    try {
      stillThere();
      const answer = await send('overview', { headers: { Accept: 'text/event-stream' }, signal: attempt.signal });
      if (answer.status === 401) {
        // What was shown to somebody else, or is not allowed any more, goes. A token starts the next attempt.
        this.forget();
        this.connection.value = { state: 'refused' };
        return;
      }
      if (!answer.ok || answer.body === null) throw errorOf(answer.status, await answer.text());
      for await (const data of events(answer.body)) {
        if (attempt !== this.attempt) return;
        stillThere();
        this.wait = firstWait;
        this.add(JSON.parse(data) as Snapshot);
      }
    } catch (error) {
      // What a browser says of a broken connection ("network error") is no sentence.
      const known = attempt.signal.reason instanceof ApiError ? attempt.signal.reason : error;
      reason = known instanceof ApiError ? known.message : 'The connection broke off.';
    } finally {
      clearTimeout(watch);
    }
    if (attempt === this.attempt) this.retryLater(reason);
  }

  private add(snapshot: Snapshot): void {
    this.kept = remember(this.kept, snapshot);
    this.connection.value = { state: 'live' };
    this.latest.value = snapshot;
  }

  private retryLater(reason: string): void {
    const wait = this.wait * (0.75 + Math.random() / 2);
    this.wait = Math.min(this.wait * 2, longestWait);
    this.connection.value = { state: 'lost', reason, retryAt: Date.now() + wait };
    this.retry = setTimeout(() => this.reconnect(), wait);
  }
}

export const live = new Live();
