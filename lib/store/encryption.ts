import { createHmac } from 'node:crypto';
import { decrypt, derivedKey, encrypt, KEY_BYTES } from '../aes.js';

/** Among keys: no encryption at all. */
export const PLAIN = 'plain';

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
    return `enc1.${name}.${encrypt(text, keyFor(key, record), where(record, place))}`;
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
    const opened = decrypt(sealed, keyFor(key, record), where(record, place));
    if (opened === undefined) throw new Error('it was altered, or is not in its place');
    return opened;
  }
}

/** A record's own key. */
const keyFor = (key: Uint8Array, record: string): Uint8Array =>
  derivedKey(key, record, 'oidc-provider-ciba at rest');

const where = (record: string, place: readonly string[]): string => JSON.stringify([record, ...place]);

/** What a key is called in what it has encrypted: nobody finds the key from it. */
const nameOf = (key: Uint8Array): string =>
  createHmac('sha256', key).update('oidc-provider-ciba key name').digest('base64url').slice(0, 8);
