import { errors } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';
import type { Limits, Refusal } from '../store/store.js';
import type { Exchange } from './exchange.js';

/** When a client with too many pending requests should come again, in seconds. */
const RETRY_AFTER_LIMIT = 30;

/** The limits as a store takes them. */
export function limitsOf({ limits }: Settings): Limits {
  const { pendingPerAccount, pendingPerAccountAndClient, pendingPerClient, refusals, cooldown } = limits;
  return {
    account: pendingPerAccount || undefined,
    accountAndClient: pendingPerAccountAndClient || undefined,
    client: pendingPerClient || undefined,
    refusals: refusals || undefined,
    cooldown: cooldown * 1000,
  };
}

/**
 * What the client hears of a limit. Of those of a person it hears always the same: whether they have denied, blocked or not answered is
 * not its to know (CIBA Core 13, 14).
 */
export function limited(exchange: Exchange, limit: Refusal | 'user_code'): Error {
  if (limit === 'client') {
    exchange.retryAfter = RETRY_AFTER_LIMIT;
    return withStatus(429, new errors.TemporarilyUnavailable('the client has too many pending requests'));
  }
  return withStatus(403, new errors.AccessDenied('the user cannot be asked now'));
}

function withStatus(status: number, error: errors.OIDCProviderError): Error {
  return Object.assign(error, { status, statusCode: status });
}
