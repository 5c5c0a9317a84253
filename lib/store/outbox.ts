import type { StoredRequest } from './store.js';

/**
 * Where the telling of a client stands: `waiting` for the decision or for the next attempt, `delivered`, or `failed` when it
 * was given up.
 */
export type DeliveryState = 'waiting' | 'delivered' | 'failed';

/** A request whose client is told, as of the store's clock. */
export interface StoredDelivery {
  readonly request: StoredRequest;
  readonly state: DeliveryState;
  /** How often something was sent. */
  readonly attempts: number;
  /** Which turn it is: it grows when a turn is postponed, and names the job that takes it. */
  readonly turn: number;
  /** When the next attempt is due, in milliseconds since the epoch; 0 before the first. */
  readonly dueAt: number;
  /** What the last turn came to, opaque to the store. */
  readonly note: string | undefined;
  /** What the client is told with, opaque to the store; gone once the telling is over. */
  readonly callback: string | undefined;
  /** The body of a push, once it is made. */
  readonly body: string | undefined;
}

/** How a turn ended that is not the last one. */
export interface Postponement {
  readonly turn: number;
  /** Milliseconds until the next turn. */
  readonly delay: number;
  /** Whether something was sent. */
  readonly sent: boolean;
  readonly note: string;
}

/** How the telling of a client ended. */
export interface Ending {
  readonly state: Exclude<DeliveryState, 'waiting'>;
  /** The turn that it counts in only; left out, any: a client that was told was told. */
  readonly turn?: number | undefined;
  /** What an approved request becomes by it, where the tokens are in the message. */
  readonly becomes: 'delivered' | 'undeliverable' | undefined;
  /** Whether the last turn sent something. */
  readonly sent: boolean;
  readonly note: string;
}

/**
 * Which clients have to be told, and where each telling stands. A request enters it when `Store.create` is given a callback. What
 * is due is not written anywhere by itself: it follows from a decided request whose telling is `waiting`, so a decision and the
 * delivery that it makes due are one write. The index only says which requests to look at, and when: one too many is harmless.
 *
 * Every method may be repeated, and a repeat is told what the first was told. Only what `due` took is not taken by a repeat: it is due
 * again after a while. A method whose answer did not come in time rejects with a `store_unavailable` `CibaError`.
 */
export interface Outbox {
  /** Notes that a request has to be looked at in so many milliseconds: before its decision is written. */
  schedule(handle: string, delay: number): Promise<void>;
  /** Takes requests whose time has come; if nothing comes of it, they are due again after a while. One that is gone has turn 0. */
  due(limit: number): Promise<readonly { readonly handle: string; readonly turn: number }[]>;
  /** How many are due for more than {@link LATE_AFTER}, and were not taken. */
  late(): Promise<number>;
  /** The requests that have to be looked at, the next one in front, and those that were given up. */
  list(): Promise<{ readonly waiting: readonly string[]; readonly failed: readonly string[] }>;
  /** Where the telling of this request's client stands; nothing where it polls, or the request is gone. */
  find(handle: string): Promise<StoredDelivery | undefined>;
  /**
   * Keeps the body of a push. The first one stands, and is returned; nothing where nobody is to be told any more. Whoever kept the one
   * that was delivered is told it ever after: to be told nothing means that the tokens in this body may be destroyed.
   */
  keepBody(handle: string, body: string): Promise<string | undefined>;
  /**
   * Ends a turn; `false` where that turn is not the present one. Where it was the last to be postponed, `true` again, and as it was the
   * first time: a second worker on the same turn counts nothing and moves nothing.
   */
  postpone(handle: string, postponement: Postponement): Promise<boolean>;
  /** Ends the telling: the first ending stands, and is returned. */
  end(handle: string, ending: Ending): Promise<DeliveryState | undefined>;
  /**
   * Leaves the index, and where `secrets` forgets what the client was told with. `failedFor` is how many milliseconds the request is
   * listed among the failed.
   */
  leave(handle: string, how: { readonly secrets: boolean; readonly failedFor?: number }): Promise<void>;
  /**
   * Lets the client be told again, while the request lives and is not `undeliverable`: the turn to come, or nothing. When it comes is
   * for `schedule` to say.
   */
  reopen(handle: string): Promise<number | undefined>;
}

/** When what is due and was not taken is late, in milliseconds: longer than processes that have room need to find it. */
export const LATE_AFTER = 3_000;

/** How long a request that was taken is left to whoever took it, in milliseconds. */
export const TAKEN_FOR = 10_000;

/** How much longer than its request a callback lives that may have to tell of the expiry, in milliseconds. */
export const EXPIRY_GRACE = 60_000;

/** The turn in which a client is told first, or a person prompted. */
export const FIRST_TURN = 1;
