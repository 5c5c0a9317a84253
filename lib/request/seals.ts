import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a seal is for: one made for one purpose is none for another. */
export type Purpose = 'link' | 'form' | 'session' | 'challenge';

/** Seals what goes through a browser or a mailbox and comes back: an HMAC over it under a key that all nodes have. */
export class Seals {
  readonly #keys: readonly Buffer[];

  /** The first secret seals, all open: so that they can be changed one after another. */
  constructor(secrets: readonly (string | Uint8Array)[]) {
    if (secrets.length === 0) throw new RangeError('a secret is needed');
    this.#keys = secrets.map((secret) =>
      createHmac('sha256', secret).update('oidc-provider-ciba seals').digest(),
    );
  }

  /** The seal over the parts, 22 characters of base64url (128 bits). */
  of(purpose: Purpose, ...parts: readonly string[]): string {
    return seal(this.#keys[0] as Buffer, purpose, parts);
  }

  /** Whether the seal is over these parts. */
  fits(given: string, purpose: Purpose, ...parts: readonly string[]): boolean {
    const bytes = Buffer.from(given);
    return this.#keys.some((key) => {
      const expected = Buffer.from(seal(key, purpose, parts));
      return bytes.length === expected.length && timingSafeEqual(bytes, expected);
    });
  }
}

function seal(key: Buffer, purpose: Purpose, parts: readonly string[]): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([purpose, ...parts]))
    .digest('base64url')
    .slice(0, 22);
}
