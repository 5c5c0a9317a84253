import type { Emitter } from '../emitter.js';
import { handleOf } from '../request/handle.js';
import type { Status, Store } from '../store/store.js';
import { type Outgoing, reasonOf } from './outgoing.js';

/** A request that was acknowledged, and where its client is told of it. */
export interface Acknowledged {
  readonly clientId: string;
  readonly endpoint: string;
  /** What the message is sent with, where the client has given something. */
  readonly bearer?: string | undefined;
  readonly authReqId: string;
  readonly expiresIn: number;
  readonly interval: number;
}

/** What a client is told. */
export type ToldStatus = 'pending' | 'success' | 'failure';

/** What the notifications work with. */
export interface StatusNotificationParts {
  readonly store: Store;
  readonly events: Emitter;
  readonly outgoing: Outgoing;
}

/** How long one message may take, in milliseconds. */
const WITHIN = 5_000;

/** How often requests are looked at that another process may have decided, in milliseconds. */
const LOOK_AGAIN = 2_000;

/** How many requests are remembered: who asks more often is told less. */
const MOST = 1_000;

/** What each end of a request is to a client; nothing while it has none. */
const OUTCOMES: Readonly<Record<Status, ToldStatus | undefined>> = {
  pending: undefined,
  approved: 'success',
  claimed: 'success',
  redeemed: 'success',
  delivered: 'success',
  undeliverable: 'success',
  denied: 'failure',
  cancelled: 'failure',
  expired: 'failure',
};

/** A request whose outcome is waited for. */
interface Awaited extends Acknowledged {
  /** Over when the message before has been answered, so that they come in order. */
  readonly pendingTold: Promise<void>;
}

/**
 * Tells clients of the dialect where their requests stand (`compat.statusNotifications`). It is a nudge: each state is sent once at most,
 * and what this process has in its memory, the `auth_req_id` among it, is all there is. Redirects are not followed, and an answer changes
 * nothing.
 */
export class StatusNotifications {
  readonly #parts: StatusNotificationParts;
  readonly #awaited = new Map<string, Awaited>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: StatusNotificationParts) {
    this.#parts = parts;
    const look = ({ handle }: { readonly handle: string }): Promise<void> => this.#look(handle);
    for (const name of ['request.approved', 'request.denied', 'request.cancelled'] as const) {
      parts.events.on(name, look);
    }
  }

  /** Tells that a request is pending, and waits for what comes of it. */
  begin(acknowledged: Acknowledged): void {
    const handle = handleOf(acknowledged.authReqId);
    const pendingTold = this.#tell(handle, acknowledged, 'pending');
    if (this.#awaited.size >= MOST) return;
    this.#awaited.set(handle, { ...acknowledged, pendingTold });
    this.#timer ??= setInterval(() => {
      for (const one of this.#awaited.keys()) void this.#look(one);
    }, LOOK_AGAIN).unref();
    // It may have been decided before the acknowledgement had left.
    void this.#look(handle);
  }

  /** Ends what is under way, and forgets the rest. */
  close(): void {
    clearInterval(this.#timer);
    this.#awaited.clear();
    this.#parts.outgoing.close();
  }

  async #look(handle: string): Promise<void> {
    const found = this.#awaited.get(handle);
    if (!found) return;
    let status: Status | undefined;
    try {
      status = (await this.#parts.store.read(handle))?.status;
    } catch {
      return; // The next look may find the store again.
    }
    const outcome = status && OUTCOMES[status];
    if (status === 'pending' || !this.#awaited.delete(handle)) return;
    if (this.#awaited.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    if (outcome === undefined) return;
    await found.pendingTold;
    await this.#tell(handle, found, outcome);
  }

  async #tell(handle: string, to: Acknowledged, status: ToldStatus): Promise<void> {
    const { clientId, endpoint, bearer, authReqId, expiresIn, interval } = to;
    const body = JSON.stringify({ auth_req_id: authReqId, expires_in: expiresIn, interval, status });
    const answer = await this.#parts.outgoing.post(endpoint, { bearer, body, within: WITHIN });
    this.#parts.events.emit('compat.told', { handle, clientId, status, reason: reasonOf(answer) });
  }
}
