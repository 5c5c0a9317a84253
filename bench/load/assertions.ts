import { createPrivateKey, type JsonWebKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { ISSUER } from '../population.js';

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const HEADER = encoded({ alg: 'ES256' });
/** Of an assertion, in seconds. */
const LIFETIME = 300;

/** What clients authenticate with by `private_key_jwt`. */
export class Assertions {
  readonly #key: KeyObject;

  constructor(key: JsonWebKey) {
    this.#key = createPrivateKey({ key, format: 'jwk' });
  }

  /** A new one, to be used once. */
  of(clientId: string): string {
    const iat = Math.floor(Date.now() / 1000);
    const claims = { iss: clientId, sub: clientId, aud: ISSUER, jti: randomUUID(), iat, exp: iat + LIFETIME };
    const input = `${HEADER}.${encoded(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}
