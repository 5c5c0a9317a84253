import { CibaError } from '../errors.js';
import { plainDescription } from '../request/description.js';
import type { Decision } from '../request/payload.js';
import type { StoredRequest } from '../store/store.js';
import type { Callback } from './callback.js';

/** CIBA Core 10.2: the id and nothing beside it. */
export function pingBody({ authReqId }: Callback): string {
  return JSON.stringify({ auth_req_id: authReqId });
}

/** The errors that a push may carry (CIBA Core 12). */
type PushError = 'access_denied' | 'expired_token' | 'transaction_failed';

/** CIBA Core 12: why there are no tokens; nothing where the request is approved. */
export function pushErrorOf(
  request: StoredRequest,
): { error: PushError; description?: string | undefined } | undefined {
  switch (request.status) {
    case 'denied': {
      const { error = 'access_denied', errorDescription } = JSON.parse(request.decision ?? '{}') as Decision;
      const known = error === 'access_denied' || error === 'expired_token';
      return { error: known ? error : 'transaction_failed', description: errorDescription };
    }
    case 'cancelled':
      return { error: 'access_denied', description: 'the request was cancelled' };
    case 'expired':
      return { error: 'expired_token', description: 'the request has expired' };
    case 'pending':
      throw new CibaError('not_found', 'the request is not decided');
    default:
      return undefined;
  }
}

/** The body of a push that carries no tokens (CIBA Core 12). */
export function pushErrorBody(callback: Callback, error: PushError, description: string | undefined): string {
  const plain = plainDescription(description);
  return JSON.stringify({
    auth_req_id: callback.authReqId,
    error,
    ...(plain && { error_description: plain }),
  });
}

/** The body of a push with tokens (CIBA Core 10.3.1). */
export function pushBody(callback: Callback, tokens: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ auth_req_id: callback.authReqId, ...tokens });
}
