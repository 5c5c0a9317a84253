import { setTimeout as wait } from 'node:timers/promises';
import { PAYMENTS_API } from './payments.js';
import type { Answer, TillClient } from './till-client.js';

/** What the server said when the sale was put to the person. */
export interface Accepted {
  readonly authReqId: string;
  readonly expiresIn: number;
  readonly interval: number;
}

/** One poll as the till's page shows it. */
interface Poll {
  readonly at: string;
  readonly status: number | undefined;
  readonly said: string;
  /** Seconds until the next poll; left out with the last one. */
  readonly next?: number;
}

/** How the sale ended. */
interface End {
  readonly state: 'approved' | 'denied' | 'expired' | 'cancelled' | 'failed';
  readonly description?: string;
  readonly tokens?: object;
}

type Told = { readonly event: 'poll'; readonly data: Poll } | { readonly event: 'end'; readonly data: End };
type Listener = (told: Told) => void;

/** What each final error means to the person at the till. */
const ENDS: Readonly<Record<string, End['state']>> = { access_denied: 'denied', expired_token: 'expired' };

/** One request of the till: polls until it has an outcome, and tells whoever listens, late ones from the beginning. */
export class Sale {
  readonly #client: TillClient;
  readonly #accepted: Accepted;
  readonly #stopped = new AbortController();
  readonly #told: Told[] = [];
  readonly #listeners = new Set<Listener>();

  constructor(client: TillClient, accepted: Accepted) {
    this.#client = client;
    this.#accepted = accepted;
  }

  /** Hears everything that has been told and will be. The function returned stops that. */
  listen(listener: Listener): () => void {
    for (const told of this.#told) listener(told);
    if (!this.#stopped.signal.aborted) this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** No more polls: the request was taken back, or the till stops before it knows how it ends. */
  stop(state: 'cancelled' | 'failed', description?: string): void {
    if (this.#stopped.signal.aborted) return;
    this.#end({ state, ...(description && { description }) });
  }

  /** Polls at the interval, or later where the server asks for that, until there is an outcome. */
  async run(): Promise<void> {
    let { interval } = this.#accepted;
    while (!this.#stopped.signal.aborted) {
      const answer = await this.#client.poll(this.#accepted.authReqId, PAYMENTS_API).catch(() => undefined);
      if (this.#stopped.signal.aborted) return;
      const said = answer?.status === 200 ? 'tokens' : String(answer?.body['error'] ?? 'no answer');
      const poll = { at: new Date().toISOString(), status: answer?.status, said };
      if (answer && isFinal(answer)) {
        this.#tell({ event: 'poll', data: poll });
        await this.#conclude(answer);
        return;
      }
      if (said === 'slow_down') interval += 5;
      const next = Math.max(interval, answer?.retryAfter ?? 0);
      this.#tell({ event: 'poll', data: { ...poll, next } });
      await wait(next * 1000, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async #conclude({ status, body }: Answer): Promise<void> {
    if (status === 200) {
      await this.#client.verify(body['id_token']).then(
        (idToken) => this.#end({ state: 'approved', tokens: shown(body, idToken) }),
        () => this.#end({ state: 'failed', description: 'the ID Token did not stand the check' }),
      );
      return;
    }
    const error = String(body['error']);
    const description = String(body['error_description'] ?? error);
    this.#end({ state: ENDS[error] ?? 'failed', description });
  }

  #end(end: End): void {
    this.#stopped.abort();
    this.#tell({ event: 'end', data: end });
    this.#listeners.clear();
  }

  #tell(told: Told): void {
    this.#told.push(told);
    for (const listener of this.#listeners) listener(told);
  }
}

/** Whether there is no use in polling again: not for what says so itself, nor for a fault of the server. */
function isFinal({ status, body }: Answer): boolean {
  return status < 500 && body['error'] !== 'authorization_pending' && body['error'] !== 'slow_down';
}

/** The tokens as the page may show them: the ID Token decoded, of the others only how they begin. */
function shown(body: Answer['body'], idToken: object): object {
  return {
    id_token: idToken,
    access_token: shortened(body['access_token']),
    refresh_token: shortened(body['refresh_token']),
    scope: body['scope'],
    expires_in: body['expires_in'],
    authorization_details: body['authorization_details'],
  };
}

const shortened = (token: unknown): string | undefined =>
  typeof token === 'string' ? `${token.slice(0, 8)}…` : undefined;
