import { calculateJwkThumbprint, EmbeddedJWK, type JWK, type JWTPayload, jwtVerify } from 'jose';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { currentNonce, isFreshNonce } from './dpop-nonce.js';
import type { DpopConfig } from './issuing-config.js';

/** How far a proof's `iat` may be from now, in seconds (RFC 9449 11.1). */
const WINDOW = 300;

/**
 * The thumbprint of the key that a request's DPoP proof is signed with (RFC 9449 4.3, 6.1).
 * @throws {errors.InvalidDpopProof}
 * @throws {errors.UseDpopNonce} where a proof with the nonce of the answer's header is wanted
 */
export async function provenKeyOf(ctx: KoaContextWithOIDC, config: DpopConfig): Promise<string> {
  const { payload, jwk } = await verifiedProof(ctx.get('DPoP'), config);
  const { iat, jti, htm, htu, nonce } = payload;
  if (typeof jti !== 'string' || jti === '') throw invalid('must have a jti');
  if (!Number.isSafeInteger(iat)) throw invalid('must have an iat');
  if (htm !== ctx.method) throw invalid('is of another method');
  if (addressOf(htu) !== addressOf(ctx.oidc.urlFor(ctx.oidc.route))) throw invalid('is of another address');
  checkNonce(ctx, config, nonce);
  const now = Math.floor(Date.now() / 1000);
  // A nonce shows that the proof is new, whatever the client's clock says (RFC 9449 8).
  if (nonce === undefined && Math.abs(now - Number(iat)) > WINDOW)
    throw invalid('is too old or from the future');
  // Where there is none, the proof stays good for as long after its iat.
  const until = (nonce === undefined ? Math.max(now, Number(iat)) : now) + WINDOW;
  if (!config.allowReplay) await checkReplay(ctx, jti, until);
  return calculateJwkThumbprint(jwk);
}

/** Several headers arrive as one with commas, which is not a JWT. */
async function verifiedProof(
  proof: string,
  { algorithms }: DpopConfig,
): Promise<{ readonly payload: JWTPayload; readonly jwk: JWK }> {
  const options = { algorithms: [...algorithms], typ: 'dpop+jwt' };
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, options).catch(
    (cause: unknown) => {
      throw invalid('is not valid', cause);
    },
  );
  return { payload, jwk: protectedHeader.jwk as JWK };
}

function checkNonce(
  ctx: KoaContextWithOIDC,
  { nonceSecret, requireNonce }: DpopConfig,
  nonce: unknown,
): void {
  const required = requireNonce(ctx);
  if (nonceSecret === undefined) {
    if (required) throw new Error('features.dPoP.requireNonce needs features.dPoP.nonceSecret');
    if (nonce !== undefined) throw invalid('must not have a nonce: none was given');
  } else if (nonce === undefined ? required : !isFreshNonce(nonceSecret, nonce)) {
    ctx.set('DPoP-Nonce', currentNonce(nonceSecret));
    throw new errors.UseDpopNonce('the DPoP proof must have the nonce given');
  }
}

/** The proofs of this endpoint are remembered apart from those that oidc-provider has seen, as part of client authentication say. */
async function checkReplay(ctx: KoaContextWithOIDC, jti: string, until: number): Promise<void> {
  const { provider, route, client } = ctx.oidc;
  if (!(await provider.ReplayDetection.unique(`${route} ${client?.clientId}`, jti, until))) {
    throw invalid('was used before');
  }
}

/** A URL without what a proof leaves out, written in one way (RFC 9449 4.3). */
function addressOf(url: unknown): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined;
  const { origin, pathname, username, password } = new URL(url);
  if (username !== '' || password !== '') return undefined;
  return `${origin}${pathname}`;
}

function invalid(sentence: string, cause?: unknown): Error {
  return new errors.InvalidDpopProof(
    `the DPoP proof ${sentence}`,
    cause === undefined ? undefined : { cause },
  );
}
