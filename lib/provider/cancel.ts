import { parse } from 'node:querystring';
import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import { CibaError } from '../errors.js';
import type { Store } from '../store/store.js';
import { formOf, type Incoming } from './form-body.js';
import { CIBA_GRANT } from './names.js';

type KoaContext = Parameters<Provider['middleware'][number]>[0];

/** Where a client withdraws its request, below the backchannel authentication endpoint. */
export const CANCEL = '/cancel';

const FORM = 'application/x-www-form-urlencoded';

/**
 * Sends a cancellation down the road of a poll, whose form it has: the provider authenticates its client as at the token endpoint. No
 * other grant's form may take this road.
 */
export async function atTokenEndpoint(
  ctx: KoaContext,
  tokenPath: string,
  next: () => Promise<void>,
): Promise<void> {
  if (ctx.method !== 'POST') {
    ctx.set('Allow', 'POST');
    refuse(ctx, 405, 'invalid_request', 'only POST is allowed');
    return;
  }
  const req: Incoming = ctx.req;
  const form = await formOf(req);
  if (form === undefined) {
    refuse(ctx, 413, 'invalid_request', 'the body is too large');
  } else if (parse(form)['grant_type'] !== CIBA_GRANT) {
    refuse(ctx, 400, 'unsupported_grant_type', `grant_type must be ${CIBA_GRANT}`);
  } else {
    // So that it is read as it was looked at, whatever character set it names.
    if (req.headers['content-type']?.toLowerCase().startsWith(FORM)) req.headers['content-type'] = FORM;
    // Nothing is issued that could be bound to a key, and a proof made for this address would be refused as one for another.
    if (req.headers['oauth-client-attestation'] === undefined) delete req.headers['dpop'];
    await withPath(req, tokenPath, next);
  }
}

/**
 * Withdraws a client's own request. `true` as well where it had been withdrawn before; `false` where there is none, or it is another
 * client's, which is not this one's to know.
 * @throws {errors.OIDCProviderError} `invalid_grant` with its outcome, where it has another one
 * @throws {CibaError} `store_unavailable`
 */
export async function cancelOwn(
  store: Store,
  handle: string,
  clientId: string,
  cancel: (handle: string) => Promise<void>,
): Promise<boolean> {
  const stored = await store.read(handle);
  if (stored?.clientId !== clientId) return false;
  if (stored.status === 'cancelled') return true;
  try {
    await cancel(handle);
    return true;
  } catch (error) {
    if (!(error instanceof CibaError)) throw error;
    if (error.outcome === 'cancelled') return true;
    // InvalidGrant keeps what it is given for the log; here the client is told.
    if (error.outcome !== undefined) throw new errors.CustomOIDCProviderError('invalid_grant', error.message);
    if (error.code === 'not_found') return false;
    throw error;
  }
}

/** Ends oidc-provider's work on a request that asks for no tokens. It is not what the client hears. */
export function endOfCancellation(): Error {
  return new errors.CustomOIDCProviderError('request_cancelled', 'the request is cancelled');
}

function refuse(ctx: KoaContext, status: number, error: string, description: string): void {
  ctx.status = status;
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { error, error_description: description };
}

/** Does something while a request has another path, which stands behind wherever the provider is mounted. */
async function withPath(req: Incoming, path: string, work: () => Promise<void>): Promise<void> {
  const { url = '', originalUrl } = req;
  req.url = path;
  if (originalUrl?.endsWith(url)) req.originalUrl = `${originalUrl.slice(0, -url.length)}${path}`;
  try {
    await work();
  } finally {
    // For whoever logs it.
    req.url = url;
    if (originalUrl !== undefined) req.originalUrl = originalUrl;
  }
}
