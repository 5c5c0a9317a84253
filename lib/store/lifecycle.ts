import type { DeliveryState } from './outbox.js';
import type { Status } from './store.js';

/**
 * The life of a request. The scripts in `lua/` do the same steps inside Redis; the contract suite and the model-based
 * spec hold both to this table.
 *
 * | from      | to                                   | by                                   |
 * |-----------|--------------------------------------|--------------------------------------|
 * | pending   | approved, denied, cancelled          | `decide`, the first one wins         |
 * | pending   | expired                              | time                                 |
 * | approved  | claimed                              | `claim` or `poll`, leased            |
 * | approved  | expired                              | time                                 |
 * | claimed   | redeemed                             | `settle`, fenced by the claim's token|
 * | claimed   | approved                             | `release`, or the end of the lease   |
 * | redeemed  | approved                             | `release`, where no answer has left  |
 * | redeemed  | redeemed, and told so                | `confirm`, `keepAnswer`, or time     |
 * | approved  | delivered, undeliverable             | `outbox.end`, for a push             |
 * | any       | gone                                 | the end of the retention             |
 */
export interface RequestRecord {
  readonly clientId: string;
  readonly accountId: string;
  readonly payload: string;
  readonly expiresAt: number;
  readonly keepUntil: number;
  status: Exclude<Status, 'expired'>;
  interval: number;
  lastPoll?: { operation: string; result: 'pending' | 'slow_down'; nextAt: number };
  decided?: { operation: string; decision: string; at: number };
  claim?: { token: string; until: number };
  /** Until when the redemption may be given back. */
  doubtUntil?: number;
  /** The answer that has left, sealed. */
  answer?: { sealed: string; until: number };
  delivery?: DeliveryRecord;
  prompt?: PromptRecord;
}

/** How far the prompting of a request's person has come. */
export interface PromptRecord {
  turn: number;
  progress?: string;
  /** The operation that ended each turn, by its number. */
  readonly advanced: Record<number, string>;
  /** When the next turn is due. */
  dueAt?: number;
}

/** How the client of a request is told, where it does not poll. */
export interface DeliveryRecord {
  state: DeliveryState;
  attempts: number;
  turn: number;
  dueAt: number;
  note?: string;
  callback?: string;
  body?: string;
  /** The body's digest, which outlives it. */
  kept?: string;
  /** The turn that was postponed last. */
  postponed?: number;
}

/** What each too early poll adds to the interval, in milliseconds (CIBA Core 11, RFC 8628 3.5). */
export const SLOW_DOWN_STEP = 5_000;

/**
 * How much too early a poll may come, in milliseconds: a client that waits exactly its interval is not punished for a first
 * request that travelled slower than its second.
 */
export const POLL_LEEWAY = 500;

/**
 * How long a redemption may take, in milliseconds. A node that dies in between keeps the client from its tokens for so long;
 * a node that is slower than this loses its claim and issues nothing.
 */
export const CLAIM_LEASE = 5_000;

/**
 * How long a redemption that was settled and not confirmed is in doubt, in milliseconds: whoever settled it may not have heard so, and
 * tries for so long to give it back. A poll of that time is told to wait, as while the claim holds.
 */
export const DOUBT = 60_000;

/** What a poll in doubt is told to wait at most, in milliseconds. */
const DOUBT_WAIT = 1_000;

/** How long whoever asks for a redeemed request has to wait while it may be given back: 0 where it may not. A clock that went back ends the doubt. */
export function doubtLeft({ status, doubtUntil = 0 }: RequestRecord, now: number): number {
  const left = doubtUntil - now;
  return status === 'redeemed' && left > 0 && left <= DOUBT ? Math.min(left, DOUBT_WAIT) : 0;
}

/** Where a record stands at a time. */
export function statusAt(record: RequestRecord, now: number): Status | 'gone' {
  if (now >= record.keepUntil) return 'gone';
  const leaseEnded = record.status === 'claimed' && now >= (record.claim?.until ?? 0);
  const status = leaseEnded ? 'approved' : record.status;
  return now >= record.expiresAt && (status === 'pending' || status === 'approved') ? 'expired' : status;
}

/** Counts a poll of a pending request, unless it is a repeat; one that comes when the next poll is due is the next poll. */
export function pollPending(
  record: RequestRecord,
  now: number,
  operation: string,
): { result: 'pending' | 'slow_down'; wait: number } {
  const last = record.lastPoll;
  if (last?.operation === operation && now < last.nextAt) {
    return { result: last.result, wait: last.nextAt - now };
  }
  // A next poll that is further off than an interval is no judgement of this client: the clock went back.
  const tooFast =
    last !== undefined && now + POLL_LEEWAY < last.nextAt && last.nextAt <= now + record.interval;
  if (tooFast) record.interval += SLOW_DOWN_STEP;
  const result = tooFast ? 'slow_down' : 'pending';
  record.lastPoll = { operation, result, nextAt: now + record.interval };
  return { result, wait: record.interval };
}
