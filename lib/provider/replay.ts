import { calculateJwkThumbprint, decodeProtectedHeader, type JWK } from 'jose';
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { openAnswer, sealAnswer } from '../request/sealed-answer.js';
import type { KeptAnswer, Store } from '../store/store.js';
import type { IssuingConfig } from './issuing-config.js';
import { thumbprintOf } from './sender-constraint.js';

/** An answer as it is kept, with the key of whoever got it. */
interface Kept {
  readonly body: unknown;
  readonly key: string | undefined;
}

/**
 * The answer of a redemption as it is kept for a client whose connection broke: one that has its answer does not come again.
 */
export async function keptAnswer(
  ctx: KoaContextWithOIDC,
  issuing: IssuingConfig,
  grace: number,
): Promise<KeptAnswer | undefined> {
  const { clientAuthMethod } = ctx.oidc.client as Client;
  // What a middleware of the server's has made of the body is not to be had again, nor the key of an attested instance.
  if (!isPlain(ctx.body) || clientAuthMethod?.startsWith('attest')) return undefined;
  const kept: Kept = { body: ctx.body, key: await keyOf(ctx, issuing) };
  const sealed = sealAnswer(String(ctx.oidc.params?.['auth_req_id']), JSON.stringify(kept));
  return { sealed, lifetime: grace * 1000 };
}

/**
 * The very same answer again, for the same client with the same key, which oidc-provider has authenticated before. Another key does not revoke
 * what was issued: it only gets nothing.
 * @throws {errors.InvalidGrant}
 */
export async function answerAgain(
  ctx: KoaContextWithOIDC,
  issuing: IssuingConfig,
  store: Store,
  handle: string,
  authReqId: string,
): Promise<unknown> {
  const sealed = await store.answerOf(handle);
  const opened = sealed === undefined ? undefined : openAnswer(authReqId, sealed);
  const kept = opened === undefined ? undefined : (JSON.parse(opened) as Kept);
  if (!kept || kept.key !== (await keyOf(ctx, issuing))) {
    throw new errors.InvalidGrant('the request is already redeemed');
  }
  return kept.body;
}

function isPlain(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return typeof body === 'string';
  return body.constructor?.name === 'Object';
}

/** Ends oidc-provider's work on a poll that is answered as before. It is not what the client hears. */
export function endOfReplay(): Error {
  return new errors.CustomOIDCProviderError('answered_again', 'the answer is the same as before');
}

/** The key that a request proves: of its DPoP proof, which oidc-provider has checked, or of its certificate. */
async function keyOf(ctx: KoaContextWithOIDC, issuing: IssuingConfig): Promise<string | undefined> {
  const proof = issuing.dPoP.enabled ? ctx.get('DPoP') : '';
  return proof === ''
    ? thumbprintOf(ctx, ctx.oidc.client as Client, issuing)
    : calculateJwkThumbprint(decodeProtectedHeader(proof).jwk as JWK);
}
