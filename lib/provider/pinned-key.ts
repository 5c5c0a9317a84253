import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { provenKeyOf } from './dpop-proof.js';
import { exchangeOf } from './exchange.js';
import type { DpopConfig } from './issuing-config.js';

/** Base64url of the 32 bytes of a SHA-256, in the one way to write it (RFC 7638, RFC 4648 3.5). */
const THUMBPRINT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/**
 * The key that an authentication request is tied to by a DPoP proof, by `dpop_jkt`, or by both: the token request has to prove it, so that an
 * `auth_req_id` is of no use to whoever else gets hold of it (RFC 9449 10, which says so of authorization requests).
 * @throws {errors.InvalidRequest} where `dpop_jkt` is no thumbprint, or that of another key than the proof's
 * @throws {errors.InvalidDpopProof}
 * @throws {errors.UseDpopNonce}
 */
export async function pinnedKeyOf(ctx: KoaContextWithOIDC, config: DpopConfig): Promise<string | undefined> {
  if (!config.enabled) return undefined;
  const named = namedKeyOf(ctx);
  const proven = ctx.get('DPoP') === '' ? undefined : await provenKeyOf(ctx, config);
  if (named !== undefined && proven !== undefined && named !== proven) {
    throw new errors.InvalidRequest('dpop_jkt is of another key than the DPoP proof');
  }
  return proven ?? named;
}

/** oidc-provider does not read the parameter here, so that it is taken from where the client has put it. */
export function namedKeyOf(ctx: KoaContextWithOIDC): string | undefined {
  const { signed } = exchangeOf(ctx);
  const { dpop_jkt: named } = (signed?.claims ?? ctx.oidc.body ?? {}) as { readonly dpop_jkt?: unknown };
  if (named === undefined || named === '') return undefined;
  if (typeof named !== 'string' || !THUMBPRINT.test(named)) {
    throw new errors.InvalidRequest('dpop_jkt must be the SHA-256 thumbprint of a key');
  }
  return named;
}
