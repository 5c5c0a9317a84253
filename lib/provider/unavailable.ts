import { errors } from 'oidc-provider';
import { CibaError } from '../errors.js';
import type { Exchange } from './exchange.js';

/** When a client should come again after a fault, in seconds: not before its next poll is due, so that it is not told to slow down. */
export const RETRY_AFTER_FAULT = 5;

/** What the client reads while the store does not answer: nothing was approved, issued or forgotten. */
export const UNAVAILABLE = {
  status: 503,
  error: 'temporarily_unavailable',
  error_description: 'the server cannot answer now, try again later',
} as const;

/** Runs a step on the store; a store that does not answer becomes a 503 OAuth error with `Retry-After` (CIBA Core 10.1). */
export async function failClosed<T>(exchange: Exchange, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (!(cause instanceof CibaError && cause.code === 'store_unavailable')) throw cause;
    exchange.retryAfter = RETRY_AFTER_FAULT;
    const answer = new errors.TemporarilyUnavailable(UNAVAILABLE.error_description, { cause });
    throw Object.assign(answer, { status: UNAVAILABLE.status, statusCode: UNAVAILABLE.status });
  }
}
