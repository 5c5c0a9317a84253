import { setTimeout as wait } from 'node:timers/promises';
import type { Callback } from './callbacks.js';
import type { Mode } from './clients.js';
import { PAYMENTS_API } from './payments.js';
import { AUTH_REQ_ID, verifyPush } from './pushed-tokens.js';
import type { Answer, TillClient, VerifiedIdToken } from './till-client.js';

/** How long a call about a decision of the last second may take, in seconds. */
const GRACE = 5;

/** What the server said when the sale was put to the person. */
export interface Accepted {
  readonly mode: Mode;
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

/** How the sale ended; `untold` where nobody called while there was time. */
interface End {
  readonly state: 'approved' | 'denied' | 'expired' | 'cancelled' | 'failed' | 'untold';
  readonly description?: string;
  readonly tokens?: object;
}

type Told =
  | { readonly event: 'poll'; readonly data: Poll }
  | { readonly event: 'callback'; readonly data: Callback }
  | { readonly event: 'end'; readonly data: End };
type Listener = (told: Told) => void;

/** What each final error means to the person at the till. */
const ENDS: Readonly<Record<string, End['state']>> = { access_denied: 'denied', expired_token: 'expired' };

/** One request of the till: finds out how it ends, and tells whoever listens, late ones from the beginning. */
export class Sale {
  readonly #client: TillClient;
  readonly #accepted: Accepted;
  readonly #stopped = new AbortController();
  readonly #told: Told[] = [];
  readonly #listeners = new Set<Listener>();
  #deadline: NodeJS.Timeout | undefined;
  #called = false;

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

  /** The request was taken back, or the till stops before it knows how it ends. */
  stop(state: 'cancelled' | 'failed', description?: string): void {
    this.#end({ state, ...(description && { description }) });
  }

  /** Begins to poll, or in the other modes to wait for the server's call. */
  begin(): void {
    const { mode, expiresIn } = this.#accepted;
    if (mode === 'poll') void this.#poll();
    else {
      const over = (): void => this.#end({ state: 'untold' });
      this.#deadline = setTimeout(over, (expiresIn + GRACE) * 1000).unref();
    }
  }

  /** Hears the server's call. The same one may come again, where the server did not get the answer. */
  async hear(callback: Callback): Promise<void> {
    const { mode, authReqId } = this.#accepted;
    const { body } = callback;
    if (this.#called || this.#stopped.signal.aborted) return;
    this.#called = true;
    clearTimeout(this.#deadline);
    this.#tell({ event: 'callback', data: { ...callback, body: redacted(body) } });
    if (mode === 'ping') await this.#poll();
    else if (body['error'] !== undefined) this.#refuse(body);
    else await this.#accept(body, verifyPush(this.#client, authReqId, body));
  }

  /** Polls at the interval, or later where the server asks for that, until there is an outcome: after a ping, at once. */
  async #poll(): Promise<void> {
    let { interval } = this.#accepted;
    while (!this.#stopped.signal.aborted) {
      const answer = await this.#client.poll(this.#accepted.authReqId, PAYMENTS_API).catch(() => undefined);
      if (this.#stopped.signal.aborted) return;
      const said = answer?.status === 200 ? 'tokens' : String(answer?.body['error'] ?? 'no answer');
      const poll = { at: new Date().toISOString(), status: answer?.status, said };
      if (answer && isFinal(answer)) {
        const { status, body } = answer;
        this.#tell({ event: 'poll', data: poll });
        if (status === 200) await this.#accept(body, this.#client.verify(body['id_token']));
        else this.#refuse(body);
        return;
      }
      if (said === 'slow_down') interval += 5;
      const next = Math.max(interval, answer?.retryAfter ?? 0);
      this.#tell({ event: 'poll', data: { ...poll, next } });
      await wait(next * 1000, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  #accept(body: Answer['body'], check: Promise<VerifiedIdToken>): Promise<void> {
    return check.then(
      (idToken) => this.#end({ state: 'approved', tokens: shown(body, idToken) }),
      () => this.#end({ state: 'failed', description: 'the ID Token did not stand the check' }),
    );
  }

  #refuse(body: Answer['body']): void {
    const error = String(body['error']);
    const description = String(body['error_description'] ?? error);
    this.#end({ state: ENDS[error] ?? 'failed', description });
  }

  #end(end: End): void {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    clearTimeout(this.#deadline);
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
function shown(body: Answer['body'], { header, payload }: VerifiedIdToken): object {
  const { access_token, refresh_token, scope, expires_in, authorization_details } = redacted(body);
  const idToken = { header, payload: redacted(payload) };
  return { id_token: idToken, access_token, refresh_token, scope, expires_in, authorization_details };
}

const SECRETS: ReadonlySet<string> = new Set([
  'auth_req_id',
  AUTH_REQ_ID,
  'access_token',
  'refresh_token',
  'id_token',
]);

/** Members as the page may show them: of what is secret only how it begins. */
function redacted(body: Answer['body']): Answer['body'] {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      SECRETS.has(name) && typeof value === 'string' ? `${value.slice(0, 8)}…` : value,
    ]),
  );
}
