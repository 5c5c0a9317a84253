import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { JWK } from 'oidc-provider';
import webPush, { type VapidKeys } from 'web-push';

/** What the server signs with. */
export interface ServerKeys {
  readonly jwks: { readonly keys: JWK[] };
  /** Secrets for cookies, the newest in front. */
  readonly cookies: readonly [string, ...string[]];
  /** With which push services know this server (RFC 8292). */
  readonly vapid: VapidKeys;
}

/** Keys that live as long as this process. */
export function freshKeys(): ServerKeys {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  return {
    jwks: { keys: [asJwk(rsa, 'RS256'), asJwk(ec, 'ES256')] },
    cookies: [randomBytes(32).toString('base64url')],
    vapid: webPush.generateVAPIDKeys(),
  };
}

/** The keys in `keys/provider.json`, which processes on one Redis share. They are public: for the example only. */
export function sharedKeys(): ServerKeys {
  return readKey('provider') as ServerKeys;
}

/** The private key of the client `till-jwt`, which is public as well: for the example only. */
export function tillKey(): JWK {
  return readKey('till-jwt') as JWK;
}

/** The part of a private key that a server may know. */
export function publicPart({ kty, crv, x, y, kid, alg, use }: JWK): JWK {
  return { kty, crv, x, y, kid, alg, use } as JWK;
}

function asJwk(key: object, alg: string): JWK {
  return { ...key, alg, use: 'sig', kid: randomBytes(8).toString('base64url') } as JWK;
}

function readKey(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`keys/${name}.json`, import.meta.url), 'utf8'));
}
