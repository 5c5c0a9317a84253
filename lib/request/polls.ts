import type { Emitter } from '../emitter.js';
import { inBackground } from '../store/in-background.js';
import { CLAIM_LEASE } from '../store/lifecycle.js';
import { newOperation } from '../store/operation.js';
import type { PollAttempt, PollResult, Store, Unanswered } from '../store/store.js';
import type { HeldPolls, Place, Waiting } from './held-polls.js';
import { KeptOperations } from './kept-operations.js';
import type { UnderWay } from './under-way.js';

/** How long a poll may be held, and for whom. */
export interface Hold {
  readonly milliseconds: number;
  readonly client: Waiting;
}

/** A claim, and when it was known to be won, by this process's monotonic clock. */
export interface WonClaim {
  /** Its fencing token. */
  readonly token: string;
  readonly wonAt: number;
}

/** What a poll has found, with the claim that it has made where the request is approved: whoever is given it redeems by it, or gives it back. */
export type Found = PollResult & { readonly claim?: WonClaim };

/**
 * How many requests may be answered while a poll claims. It comes before all that the provider does, so that where much is to be done first, as when
 * thousands of approvals are polled at once, claims would be over before it is their turn; there the claim is made right before the tokens.
 */
const CLAIMS_AMONG = 100;

/** How early a timer may be, in milliseconds: a request that ends while it is waited for is looked at when it has. */
const A_MOMENT = 10;

/** What a poll has found, of which it is yet to be answered. */
export interface PassedOn {
  readonly handle: string;
  readonly clientId: string;
  readonly found: Found;
}

/** What polls are asked of. */
export interface PollParts {
  readonly store: Store;
  readonly events: Emitter;
  /** Where long polling is offered. */
  readonly held: HeldPolls | undefined;
  /** What this process is answering. */
  readonly underWay: UnderWay;
}

/** Asks where a request stands, for whoever answers a poll. */
export class Polls {
  readonly #parts: PollParts;
  readonly #unanswered = new KeptOperations();
  /** The claims of redemptions whose tokens have not left, and which the store may take for done. */
  readonly #lost = new KeptOperations();
  /** Whose poll was held: once is enough. */
  readonly #heldBefore = new WeakSet<object>();
  readonly #passedOn = new WeakMap<object, PassedOn>();

  constructor(parts: PollParts) {
    this.#parts = parts;
  }

  /** Keeps what a poll has found for whoever answers it: it need not be asked for again. What nobody has asked for when the client goes is dropped. */
  passOn(client: Waiting, passed: PassedOn): void {
    this.#passedOn.set(client, passed);
    if (passed.found.claim) client.once('close', () => this.drop(client));
  }

  /** What was passed on for the same poll of the same client; nothing the second time. */
  passedOn(client: Waiting, handle: string, clientId: string): Found | undefined {
    const passed = this.#passedOn.get(client);
    if (passed?.handle !== handle || passed.clientId !== clientId) {
      this.drop(client);
      return undefined;
    }
    this.#passedOn.delete(client);
    return passed.found;
  }

  /** Gives the claim back of what was passed on. */
  drop(client: Waiting): void {
    const passed = this.#passedOn.get(client);
    this.#passedOn.delete(client);
    if (passed?.found.claim) this.giveBack(passed.handle, passed.found.claim.token);
  }

  /**
   * Polls once. Where the poll may be held, a pending request is answered when it is decided, or after that time. `alone` as
   * {@link PollAttempt.alone}.
   * @throws {CibaError} `store_unavailable`
   */
  poll(handle: string, clientId: string, hold?: Hold, alone = false): Promise<Found> {
    if (!hold) {
      const { underWay, held } = this.#parts;
      const claims = underWay.count - (held?.count ?? 0) <= CLAIMS_AMONG;
      return this.#ask(handle, clientId, { tells: true, alone, claims });
    }
    return this.#polled(handle, clientId, hold).then((found) =>
      hold.client.destroyed ? found : this.#tell(handle, clientId, found),
    );
  }

  /** Gives an approval back whose tokens have not left: as soon as the store takes it, and before a poll hears that the request is redeemed. */
  giveBack(handle: string, token: string): void {
    this.#lost.keep(handle, token);
    inBackground(() => this.#takeBack(handle, token));
  }

  async #takeBack(handle: string, token: string): Promise<void> {
    await this.#parts.store.release(handle, token);
    if (this.#lost.get(handle) === token) this.#lost.forget(handle);
  }

  async #polled(handle: string, clientId: string, hold: Hold): Promise<Found> {
    const { held } = this.#parts;
    const first = !this.#heldBefore.has(hold.client);
    // Before the request is looked at: a decision that falls right after that is heard of.
    const place = first ? await held?.take(handle) : undefined;
    if (!held || !place) return this.#ask(handle, clientId);
    this.#heldBefore.add(hold.client);
    try {
      const found = await this.#ask(handle, clientId);
      if (found.result !== 'pending') return found;
      return await this.#held(found, place, { handle, clientId, ...hold });
    } finally {
      held.giveBack(handle, place);
    }
  }

  /** The time held counts as the interval (CIBA Core 10.1). */
  async #held(
    found: Unanswered,
    place: Place,
    { handle, clientId, milliseconds, client }: Hold & { readonly handle: string; readonly clientId: string },
  ): Promise<Found> {
    const { store, events } = this.#parts;
    const began = performance.now();
    const longest = Math.min(milliseconds, found.remaining + A_MOMENT);
    events.emit('poll.held', { handle, clientId, seconds: Math.ceil(longest / 1000) });
    const news = await place.wait(longest, client);
    // The last word is the store's, where it can be heard: the request may have ended, or the news been lost.
    const status = news === 'over' ? await store.statusOf(handle).catch(() => 'pending') : 'pending';
    if (news === 'decided' || status !== 'pending') return this.#ask(handle, clientId);
    return { ...found, wait: Math.max(0, found.wait - (performance.now() - began) - A_MOMENT) };
  }

  /**
   * A poll whose answer was lost may have been counted, or be counted yet. When the client comes again it is the same poll, and
   * is not held against it; and what the first of them may have claimed is given back.
   */
  #ask(
    handle: string,
    clientId: string,
    how: { readonly tells?: boolean; readonly alone?: boolean; readonly claims?: boolean } = {},
  ): Promise<Found> {
    const unanswered = this.#unanswered.get(handle);
    const operation = unanswered ?? newOperation();
    // Of polls that repeat the same one at the same time only one may win.
    const token = unanswered === undefined ? operation : newOperation();
    const claim = how.claims ? { token, lease: CLAIM_LEASE } : undefined;
    return this.#parts.store.poll({ handle, clientId, operation, alone: how.alone, claim }).then(
      (found) => {
        this.#unanswered.forget(handle);
        const lost = this.#lost.get(handle) ?? (found.result === 'claimed' ? unanswered : undefined);
        if (lost !== undefined && (found.result === 'redeemed' || found.result === 'claimed'))
          return this.#takeBack(handle, lost).then(() => this.#ask(handle, clientId, how));
        if (found.result === 'approved')
          return found.claimed ? { ...found, claim: { token, wonAt: performance.now() } } : found;
        return how.tells ? this.#tell(handle, clientId, found) : found;
      },
      (error: unknown) => {
        this.#unanswered.keep(handle, operation);
        throw error;
      },
    );
  }

  #tell(handle: string, clientId: string, found: Found): Found {
    if (found.result === 'pending' || found.result === 'slow_down') {
      this.#parts.events.emit('poll.pending', { handle, clientId, tooFast: found.result === 'slow_down' });
    }
    return found;
  }
}
