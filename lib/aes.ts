import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const [NONCE_BYTES, TAG_BYTES] = [12, 16];

/** The bytes that a key has. */
export const KEY_BYTES = 32;

/** A key of its own for each purpose and place: so that no key meets so many values that two of their random nonces could be the same. */
export function derivedKey(secret: Uint8Array | string, salt: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, purpose, KEY_BYTES));
}

/** Encrypts a text (AES-256-GCM), in base64url. What goes `beside` it is not in there, and has to be the same to open it. */
export function encrypt(text: string, key: Uint8Array, beside = ''): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(beside));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** Opens what {@link encrypt} has made; nothing where it was made with another key or beside something else, or was altered. */
export function decrypt(encrypted: string, key: Uint8Array, beside = ''): string | undefined {
  const bytes = Buffer.from(encrypted, 'base64url');
  try {
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(beside))
      .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const opened = [decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()];
    return Buffer.concat(opened).toString('utf8');
  } catch {
    return undefined;
  }
}
