import { errors } from 'oidc-provider';
import { CibaError } from '../errors.js';
import type { Exchange } from './exchange.js';

/** When a client should come again after a fault, in seconds, unless its own interval is longer. */
export const RETRY_AFTER_FAULT = 5;

/** What the client reads while the store does not answer: nothing was approved, issued or forgotten. */
export const UNAVAILABLE = {
  status: 503,
  error: 'temporarily_unavailable',
  error_description: 'the server cannot answer now, try again later',
} as const;

/** Runs a step on the store; a store that does not answer becomes a 503 OAuth error with `Retry-After` (CIBA Core 10.1). */
export function failClosed<T>(
  exchange: Exchange,
  step: () => Promise<T>,
  interval: number = RETRY_AFTER_FAULT,
): Promise<T> {
  return step().catch((cause: unknown) => {
    if (!(cause instanceof CibaError && cause.code === 'store_unavailable')) throw cause;
    throw unavailable(exchange, cause, interval);
  });
}

/** The 503 OAuth error with `Retry-After` for a fault of something that the answer needs. */
export function unavailable(
  exchange: Exchange,
  cause: unknown,
  interval: number = RETRY_AFTER_FAULT,
): errors.OIDCProviderError {
  exchange.retryAfter = Math.max(RETRY_AFTER_FAULT, interval);
  const answer = new errors.TemporarilyUnavailable(UNAVAILABLE.error_description, { cause });
  return Object.assign(answer, { status: UNAVAILABLE.status, statusCode: UNAVAILABLE.status });
}
