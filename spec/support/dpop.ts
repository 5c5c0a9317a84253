import { randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { BACKCHANNEL, ISSUER, TOKEN } from './configuration.js';

/** What differs from a good proof; `undefined` takes a member out. */
export interface ProofMembers {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: Parameters<SignJWT['sign']>[0];
}

/** A key that a client binds its tokens to (RFC 9449). */
export interface DpopKey {
  readonly thumbprint: string;
  /** The headers of a request that proves the key at the token endpoint. */
  atToken(members?: ProofMembers): Promise<{ readonly dpop: string }>;
  /** The headers of a request that proves the key at the backchannel endpoint. */
  atBackchannel(members?: ProofMembers): Promise<{ readonly dpop: string }>;
  proof(members?: ProofMembers): Promise<string>;
}

/** Makes a key on the spot. */
export async function makeDpopKey(): Promise<DpopKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  const proof: DpopKey['proof'] = async ({ claims = {}, header = {}, key = privateKey } = {}) => {
    const own = { htm: 'POST', jti: randomUUID(), iat: Math.floor(Date.now() / 1000) };
    return new SignJWT({ ...own, ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
      .sign(key);
  };
  const at =
    (path: string): DpopKey['atToken'] =>
    async ({ claims = {}, ...members } = {}) => ({
      dpop: await proof({ ...members, claims: { htu: `${ISSUER}${path}`, ...claims } }),
    });
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    atToken: at(TOKEN),
    atBackchannel: at(BACKCHANNEL),
    proof,
  };
}
