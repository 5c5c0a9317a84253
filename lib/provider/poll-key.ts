import { randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, type JWK } from 'jose';
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Store } from '../store/store.js';
import type { IssuingConfig } from './issuing-config.js';

/**
 * How long a used proof is remembered, in milliseconds: it is good for five minutes after its `iat`, which may be five minutes ahead
 * (RFC 9449 11.1).
 */
const REMEMBERED = 600_000;

/**
 * Holds a poll to showing the key that the client's tokens are bound to, before it counts as a poll. oidc-provider says `invalid_grant`, which
 * would end the request for the client, where it has only left something out.
 * @throws {errors.InvalidRequest}
 */
export function checkKeyShown(ctx: KoaContextWithOIDC, { dPoP, getCertificate }: IssuingConfig): void {
  const client = ctx.oidc.client as Client;
  if (client.dpopBoundAccessTokens && dPoP.enabled && ctx.get('DPoP') === '') {
    throw new errors.InvalidRequest('a DPoP proof is required');
  }
  if (client.tlsClientCertificateBoundAccessTokens && getCertificate && !getCertificate(ctx)) {
    throw new errors.InvalidRequest('a client certificate is required');
  }
}

/** The DPoP proof of a poll that may be used once; nothing where there is none. */
export function proofOf(ctx: KoaContextWithOIDC, { dPoP }: IssuingConfig): string | undefined {
  return dPoP.enabled && !dPoP.allowReplay ? ctx.get('DPoP') || undefined : undefined;
}

/**
 * Uses up the DPoP proof of a poll. oidc-provider, which has checked all else of it, would do so only when it issues tokens, and leave one that
 * was sent with a pending poll to be used again.
 * @throws {errors.InvalidDpopProof}
 */
export async function useProof(ctx: KoaContextWithOIDC, proof: string, store: Store): Promise<void> {
  const id = JSON.stringify([ctx.oidc.client?.clientId, decodeJwt(proof).jti]);
  if (!(await store.useOnce('dpop_proof', id, REMEMBERED, randomUUID()))) {
    throw new errors.InvalidDpopProof('the DPoP proof was used before');
  }
}

/**
 * Holds the redemption of a request to the key that it was tied to. Not `invalid_grant`: the client that has the key can still redeem it.
 * @throws {errors.InvalidDpopProof}
 */
export async function checkPinnedKey(ctx: KoaContextWithOIDC, pinned: string | undefined): Promise<void> {
  if (pinned === undefined) return;
  const proof = ctx.get('DPoP');
  if (proof === '')
    throw new errors.InvalidDpopProof('the request is tied to a key: a DPoP proof is required');
  // Checked already: oidc-provider looks for the request afterwards.
  const { jwk } = decodeProtectedHeader(proof);
  if ((await calculateJwkThumbprint(jwk as JWK)) !== pinned) {
    throw new errors.InvalidDpopProof('the request is tied to another key');
  }
}
