import type { Decisions } from './decisions.js';
import type { StoreHealth } from './health.js';
import type { Outbox } from './outbox.js';
import type { Prompts } from './prompts.js';

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
  /** How many there may be. */
  readonly limits: Limits;
  /** Whether the person is prompted: then the request is in {@link Store.prompts}, to be looked at in {@link PROMPTED_WITHIN}. */
  readonly prompted?: boolean | undefined;
  /** Where the client is told of the outcome: what it is told with, opaque to the store and secret. */
  readonly callback?: string | undefined;
  /** Whether it is also told when nobody decides. */
  readonly tellExpiry?: boolean | undefined;
}

/** Whose request it is. */
export interface Owner {
  readonly clientId: string;
  readonly accountId: string;
}

/** How many requests there may be, the new one included; what is left out is not limited. */
export interface Limits {
  /** Pending ones of the account. */
  readonly account?: number | undefined;
  /** Pending ones of the account and the client. */
  readonly accountAndClient?: number | undefined;
  /** Pending ones of the client. */
  readonly client?: number | undefined;
  /** Those of the account and the client that were denied, or expired, in the last `cooldown` milliseconds: at so many no more is created. */
  readonly refusals?: number | undefined;
  /** How long a refusal counts, in milliseconds. */
  readonly cooldown: number;
}

/** Why a request was not created: which limit is reached. `blocked` is what the person asked for. */
export type Refusal = 'account' | 'account_and_client' | 'client' | 'refusals' | 'blocked';

/** When a request is looked at that whoever stored it has not begun to prompt, in milliseconds: longer than a turn takes. */
export const PROMPTED_WITHIN = 12_000;

/** A guess of a user code, before it is known whether it is right. */
export interface Guess {
  readonly accountId: string;
  readonly clientId: string;
  /** Names the guess. */
  readonly operation: string;
  /** How many wrong ones there may be for the account and the client, and for the account whoever asks. */
  readonly most: { readonly accountAndClient: number; readonly account: number };
  /** How long a wrong one counts, in milliseconds. */
  readonly lifetime: number;
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
  /** Whether the person is prompted. */
  readonly prompted: boolean;
}

/** A decision to be stored. */
export interface DecisionAttempt {
  readonly handle: string;
  /** Whose request it is, as it was read. */
  readonly owner: Owner;
  /** Who decides: must be the request's account. Left out where the server withdraws a request. */
  readonly accountId: string | undefined;
  readonly verdict: Verdict;
  readonly decision: string;
  /** Names this attempt: a repeat of it is told what the first was told. */
  readonly operation: string;
  /** Where it is a refusal that counts against the client: how long, in milliseconds. */
  readonly cooldown?: number | undefined;
}

/** What became of a decision. */
export type DecisionResult =
  | { readonly result: 'decided' }
  | { readonly result: 'conflict'; readonly status: Exclude<Status, 'pending'> }
  | { readonly result: 'forbidden' }
  | { readonly result: 'gone' };

/** A poll. */
export interface PollAttempt {
  readonly handle: string;
  readonly clientId: string;
  /** Names this poll, so that a repeat of it is not counted as another one. */
  readonly operation: string;
  /** Whether it comes alone, with much other work between it and the next one: then it need not wait to be asked together with others. */
  readonly alone?: boolean | undefined;
  /** The claim that it makes in the same step where the request is approved, and its client is told of nothing. */
  readonly claim?: PollClaim | undefined;
}

/** A claim that a poll makes: its token, which no other has, and how long it holds in milliseconds. */
export type PollClaim = Pick<ClaimAttempt, 'token' | 'lease'>;

/** What a poll found. `wait` is the time in milliseconds until the client should come again. */
export type PollResult =
  | Unanswered
  | { readonly result: 'claimed'; readonly wait: number }
  | {
      readonly result: 'approved';
      readonly accountId: string;
      readonly remaining: number;
      readonly payload: string;
      readonly decision: string;
      /** Whether the poll has claimed it. A store that has to wait for replicas leaves that to {@link Store.claim}. */
      readonly claimed: boolean;
    }
  | { readonly result: 'denied'; readonly decision: string }
  | { readonly result: Ended | 'cancelled' | 'expired' | 'foreign' | 'gone' };

/** What a poll of a pending request is told; `remaining` is what is left of its life. Both in milliseconds. */
export interface Unanswered {
  readonly result: 'pending' | 'slow_down';
  readonly wait: number;
  readonly remaining: number;
}

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

/** An answer that has left, kept for a client that did not get it. */
export interface KeptAnswer {
  /** Sealed by whoever keeps it: nobody who reads the store can open it. */
  readonly sealed: string;
  /** In milliseconds. */
  readonly lifetime: number;
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
  /** Which people have to be prompted. */
  readonly prompts: Prompts;
  /** News of decisions, for whoever waits for one. */
  readonly decisions: Decisions;
  /**
   * Stores a request as pending; where a limit is reached, says which, and nothing is stored. The limits hold exactly: those of the
   * account are judged and taken in one step.
   */
  create(request: NewRequest): Promise<'created' | Refusal>;
  /** The request, or nothing once its retention is over. */
  read(handle: string): Promise<StoredRequest | undefined>;
  /** The pending requests of an account, the one that ends first in front. */
  list(accountId: string): Promise<StoredRequest[]>;
  /** Counts a poll against the interval while pending, and tells where the request stands; what is approved it may claim, as {@link PollAttempt.claim} says. */
  poll(attempt: PollAttempt): Promise<PollResult>;
  /** Where a request stands, without counting as a poll. */
  statusOf(handle: string): Promise<Status | 'gone'>;
  /** Decides a pending request; the first decision wins. */
  decide(attempt: DecisionAttempt): Promise<DecisionResult>;
  /** Claims an approved request for one redemption. */
  claim(attempt: ClaimAttempt): Promise<ClaimResult>;
  /**
   * Ends a redemption, and leaves it in doubt until it is confirmed: `true` only while the claim of this token holds, with at least
   * `leaseLeft` milliseconds (default 0) of its lease to come. With it a caller makes sure that a settle which it has given up cannot take
   * effect later.
   */
  settle(handle: string, token: string, leaseLeft?: number): Promise<boolean>;
  /**
   * Ends the doubt about a redemption, once it is known to be settled; a kept answer does so, too. Until then, for as long as whoever settled
   * it tries to give it back, polls and claims are told that it is claimed.
   */
  confirm(handle: string): Promise<void>;
  /** Keeps the answer that leaves, once the redemption is known to be settled, and as long as it is. */
  keepAnswer(handle: string, token: string, answer: KeptAnswer): Promise<void>;
  /** The answer that was kept when this request was redeemed, as long as it is. */
  answerOf(handle: string): Promise<string | undefined>;
  /**
   * Gives a claim back, so that the next poll may redeem; also one that was settled, where the settle's answer was lost and the
   * tokens have not left. Only the holder of the token, who knows that, may call it.
   */
  release(handle: string, token: string): Promise<void>;
  /** Forgets a request at once, and, where its owner is told, the places that were taken for it before it was written. */
  remove(handle: string, owner?: Owner): Promise<void>;
  /**
   * Lets no request of this client for this account in, for so many milliseconds. Of two blocks the one that lasts longer stands. One that
   * is being stored meanwhile is refused, or in a list that is read after it.
   */
  block(accountId: string, clientId: string, lifetime: number): Promise<void>;
  /** Ends a block, and forgets the refusals that counted against the client. */
  unblock(accountId: string, clientId: string): Promise<void>;
  /** Counts a guess as wrong before it is looked at; `false` where there were too many, and then it must not be looked at. */
  guess(guess: Guess): Promise<boolean>;
  /** Takes back a guess that was right, and the wrong ones of the client before it. */
  guessedRight(guess: Guess): Promise<void>;
  /** Takes back a guess that nobody has looked at. */
  takeBackGuess(guess: Guess): Promise<void>;
  /** Uses up something that can be used once, and is remembered for so many milliseconds; `false` where it was used before. */
  useOnce(kind: string, id: string, lifetime: number, operation: string): Promise<boolean>;
  /** How the store does; never rejects, and takes no longer than any other method. */
  health(): Promise<StoreHealth>;
  /** Ends what the store opened. */
  close(): Promise<void>;
}
