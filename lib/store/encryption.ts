import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** Among keys: no encryption at all. */
export const PLAIN = 'plain';

const ALGORITHM = 'aes-256-gcm';
const [KEY_BYTES, NONCE_BYTES, TAG_BYTES] = [32, 12, 16];

/** No text of ours begins so: they are JSON. */
const SEALED = /^enc1\.([\w-]{8})\.([\w-]+)$/;

/** The bytes of a key as an operator gives it: themselves, or in base64 or base64url. Nothing where they are not 32. */
export function keyBytes(key: unknown): Uint8Array | undefined {
  const isText = typeof key === 'string' && /^[\w+/-]{43}=?$/.test(key);
  const bytes = isText ? Buffer.from(key, 'base64') : key;
  return bytes instanceof Uint8Array && bytes.length === KEY_BYTES ? bytes : undefined;
}

/**
 * Encrypts what lies in a store (AES-256-GCM), so that it can be read with the server's keys only, and only at the place that it was written
 * for. The first key writes, all read: so they can be changed one after another.
 */
export class Encryption {
  readonly #first: string | undefined;
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #readsPlain: boolean;

  constructor(keys: readonly (Uint8Array | string)[]) {
    const named = keys.filter((key) => key !== PLAIN).map((key) => keyBytes(key) as Uint8Array);
    this.#keys = new Map(named.map((key) => [nameOf(key), key]));
    this.#first = keys[0] === PLAIN ? undefined : this.#keys.keys().next().value;
    this.#readsPlain = keys.includes(PLAIN);
  }

  /** What is to be stored of a text; `place` says where in the record it is, and what else it must not be parted from. */
  seal(text: string, record: string, place: readonly string[]): string {
    const name = this.#first;
    const key = name && this.#keys.get(name);
    if (!key) return text;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, keyFor(key, record), nonce).setAAD(aad(record, place));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return `enc1.${name}.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')}`;
  }

  /**
   * The text of what was stored.
   * @throws {Error} saying why it cannot be read, and nothing of what it is
   */
  open(value: string, record: string, place: readonly string[]): string {
    const [, name, sealed] = SEALED.exec(value) ?? [];
    if (name === undefined || sealed === undefined) {
      if (this.#readsPlain) return value;
      throw new Error('it is not encrypted');
    }
    const key = this.#keys.get(name);
    if (!key) throw new Error(`it was encrypted with the key ${name}, which is not among the keys`);
    const bytes = Buffer.from(sealed, 'base64url');
    try {
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(ALGORITHM, keyFor(key, record), nonce, { authTagLength: TAG_BYTES })
        .setAAD(aad(record, place))
        .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const opened = [decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()];
      return Buffer.concat(opened).toString('utf8');
    } catch {
      throw new Error('it was altered, or is not in its place');
    }
  }
}

/** A record's own key: so that no key meets so many values that two of their random nonces could be the same. */
function keyFor(key: Uint8Array, record: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, record, 'oidc-provider-ciba at rest', KEY_BYTES));
}

const aad = (record: string, place: readonly string[]): Buffer =>
  Buffer.from(JSON.stringify([record, ...place]));

/** What a key is called in what it has encrypted: nobody finds the key from it. */
const nameOf = (key: Uint8Array): string =>
  createHmac('sha256', key).update('oidc-provider-ciba key name').digest('base64url').slice(0, 8);
