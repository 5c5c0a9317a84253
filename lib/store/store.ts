import type { Outbox } from './outbox.js';

/**
 * Where a request stands. `expired` is never written: it is what `pending` and `approved` become when their time is up.
 * `delivered` and `undeliverable` are what an approved request of a push client becomes.
 */
export type Status =
  | 'pending'
  | 'approved'
  | 'claimed'
  | 'redeemed'
  | 'delivered'
  | 'undeliverable'
  | 'denied'
  | 'cancelled'
  | 'expired';

/** What a person, or the server for them, decided. Stored as it is, never interpreted by a store. */
export type Verdict = 'approved' | 'denied' | 'cancelled';

/** What is needed to store a new request. Durations are in milliseconds. */
export interface NewRequest {
  readonly handle: string;
  readonly clientId: string;
  readonly accountId: string;
  /** Life of the request. */
  readonly lifetime: number;
  /** How long its outcome is remembered after its end. */
  readonly retention: number;
  /** Least time between two polls. */
  readonly interval: number;
  /** What the rest of the plugin wants back, opaque to the store. */
  readonly payload: string;
  /** How many pending requests the account may have, this one included; left out: any number. */
  readonly pendingLimit: number | undefined;
  /** Where the client is told of the outcome: what it is told with, opaque to the store and secret. */
  readonly callback?: string | undefined;
  /** Whether it is also told when nobody decides. */
  readonly tellExpiry?: boolean | undefined;
}

/** A stored request, as of the store's clock. */
export interface StoredRequest {
  readonly handle: string;
  readonly status: Status;
  readonly clientId: string;
  readonly accountId: string;
  /** Milliseconds since the epoch, by the store's clock. */
  readonly expiresAt: number;
  /** Milliseconds of life left, 0 when it is over. */
  readonly remaining: number;
  readonly payload: string;
  readonly decision: string | undefined;
  /** Whether the client is told of the outcome. */
  readonly told: boolean;
}

/** A decision to be stored. */
export interface DecisionAttempt {
  readonly handle: string;
  /** Who decides: must be the request's account. Left out where the server withdraws a request. */
  readonly accountId: string | undefined;
  readonly verdict: Verdict;
  readonly decision: string;
  /** Names this attempt: a repeat of it is told what the first was told. */
  readonly operation: string;
}

/** What became of a decision. */
export type DecisionResult =
  | { readonly result: 'decided'; readonly clientId: string; readonly accountId: string }
  | { readonly result: 'conflict'; readonly status: Exclude<Status, 'pending'> }
  | { readonly result: 'forbidden' }
  | { readonly result: 'gone' };

/** A poll. */
export interface PollAttempt {
  readonly handle: string;
  readonly clientId: string;
  /** Names this poll, so that a repeat of it is not counted as another one. */
  readonly operation: string;
}

/** What a poll found. `wait` is the time in milliseconds until the client should come again. */
export type PollResult =
  | { readonly result: 'pending' | 'slow_down' | 'claimed'; readonly wait: number }
  | {
      readonly result: 'approved';
      readonly accountId: string;
      readonly remaining: number;
      readonly payload: string;
      readonly decision: string;
    }
  | { readonly result: 'denied'; readonly decision: string }
  | { readonly result: Ended | 'cancelled' | 'expired' | 'foreign' | 'gone' };

/** An approval that has been used. */
type Ended = 'redeemed' | 'delivered' | 'undeliverable';

/** A claim on an approved request, held while the provider issues. */
export interface ClaimAttempt {
  readonly handle: string;
  readonly clientId: string;
  /** The fencing token of this claim, and the name of this attempt. */
  readonly token: string;
  /** How long the claim holds, in milliseconds. */
  readonly lease: number;
}

/** What became of a claim. */
export type ClaimResult =
  | { readonly result: 'won' }
  | { readonly result: 'claimed'; readonly wait: number }
  | { readonly result: 'pending' | Ended | 'denied' | 'cancelled' | 'expired' | 'foreign' | 'gone' };

/**
 * Where pending requests live. Two implementations keep the same promises: {@link MemoryStore} and {@link RedisStore};
 * one contract suite holds both to them.
 *
 * Every change of a request is one atomic step. Every method may be repeated with the same `operation`, `token` or `handle`: the repeat
 * changes nothing and is told what the first was told. Every judgement of time is the store's own. A method whose answer
 * did not come in time rejects with a `store_unavailable` {@link CibaError}; whether it took effect is then unknown.
 */
export interface Store {
  /** Which clients have to be told of what was decided. */
  readonly outbox: Outbox;
  /** Stores a request as pending; `full` where the account has too many, and then nothing is stored. */
  create(request: NewRequest): Promise<'created' | 'full'>;
  /** The request, or nothing once its retention is over. */
  read(handle: string): Promise<StoredRequest | undefined>;
  /** The pending requests of an account, the one that ends first in front. */
  list(accountId: string): Promise<StoredRequest[]>;
  /** Counts a poll against the interval while pending, and tells where the request stands. */
  poll(attempt: PollAttempt): Promise<PollResult>;
  /** Decides a pending request; the first decision wins. */
  decide(attempt: DecisionAttempt): Promise<DecisionResult>;
  /** Claims an approved request for one redemption. */
  claim(attempt: ClaimAttempt): Promise<ClaimResult>;
  /**
   * Ends a redemption: `true` only while the claim of this token holds, with at least `leaseLeft` milliseconds (default 0) of
   * its lease to come. With it a caller makes sure that a settle which it has given up cannot take effect later.
   */
  settle(handle: string, token: string, leaseLeft?: number): Promise<boolean>;
  /**
   * Gives a claim back, so that the next poll may redeem; also one that was settled, where the settle's answer was lost and the
   * tokens have not left. Only the holder of the token, who knows that, may call it.
   */
  release(handle: string, token: string): Promise<void>;
  /** Forgets a request at once, and, where its account is told, a place that was taken for it before it was written. */
  remove(handle: string, accountId?: string): Promise<void>;
  /** Ends what the store opened. */
  close(): Promise<void>;
}
