import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { CibaError } from '../errors.js';

/** How a user code is hashed. */
export interface UserCodeOptions {
  /**
   * Says whether a code is the account's password: such a code is refused, because clients see it (CIBA Core 7.1.2). It is asked about
   * the code as it was typed and, where that differs, about what is left of it after normalization. Default: nothing is checked.
   */
  readonly isPassword?: ((code: string) => Promise<boolean> | boolean) | undefined;
}

const scryptKey = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);

/** How many characters a code may have. */
const [SHORTEST, LONGEST] = [4, 64];

/** What a hash costs: 32 MiB and three passes, one of those that OWASP's Password Storage Cheat Sheet names for scrypt. */
const COST: Cost = { ln: 15, r: 8, p: 3 };

/** The most that a stored hash may make this process spend. */
const [MOST_MEMORY, MOST_PASSES] = [128 * 1024 * 1024, 16];

const [SALT_BYTES, KEY_BYTES] = [16, 32];

/** The PHC string of scrypt: `$scrypt$ln=15,r=8,p=3$salt$hash`, base64 without padding. */
const STORED =
  /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d?),p=([1-9]\d?)\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43})$/;

interface Cost {
  /** The binary logarithm of the number of blocks. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

interface Stored {
  readonly cost: Cost;
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
}

/**
 * Hashes a user code for the server's own store (CIBA Core 7.1.2): scrypt with a salt of its own, as a text of about 100 characters that
 * names its costs. Spaces around the code do not count, and characters that only look different, such as full-width digits, are the same
 * (Unicode NFKC); capitals count.
 * @throws {CibaError} `unfit_user_code` where it has fewer than 4 or more than 64 characters, or is the password
 */
export async function hashUserCode(code: string, options: UserCodeOptions = {}): Promise<string> {
  const normal = normalized(code);
  if (normal === undefined) {
    throw new CibaError(
      'unfit_user_code',
      `the code must have at least ${SHORTEST} and at most ${LONGEST} characters`,
    );
  }
  for (const typed of new Set([code, normal])) {
    if (await options.isPassword?.(typed)) {
      throw new CibaError('unfit_user_code', 'the code must not be the password');
    }
  }
  const salt = randomBytes(SALT_BYTES);
  const { ln, r, p } = COST;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(await keyOf(normal, salt, COST))}`;
}

/**
 * Whether a user code is the one that was hashed by {@link hashUserCode}. Where there is no hash, or one that cannot be read, the answer is
 * no and takes as long: who has a code is not to be learnt from it.
 */
export async function matchesUserCode(code: string, hash: string | null | undefined): Promise<boolean> {
  const normal = normalized(code);
  const stored = storedOf(hash);
  const { cost, salt, key } = stored ?? NONE;
  const same = timingSafeEqual(await keyOf(normal ?? '', salt, cost), key);
  return same && normal !== undefined && stored !== undefined;
}

/** What an account without a code is compared with. */
const NONE: Stored = { cost: COST, salt: new Uint8Array(SALT_BYTES), key: new Uint8Array(KEY_BYTES) };

function normalized(code: unknown): string | undefined {
  if (typeof code !== 'string') return undefined;
  const normal = code.normalize('NFKC').trim();
  const { length } = [...normal];
  return length >= SHORTEST && length <= LONGEST ? normal : undefined;
}

function storedOf(hash: unknown): Stored | undefined {
  const [, ln, r, p, salt = '', key = ''] = STORED.exec(typeof hash === 'string' ? hash : '') ?? [];
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const fits = memoryOf(cost) <= MOST_MEMORY && cost.p <= MOST_PASSES;
  return fits ? { cost, salt: Buffer.from(salt, 'base64'), key: Buffer.from(key, 'base64') } : undefined;
}

const memoryOf = ({ ln, r }: Cost): number => 128 * r * 2 ** ln;

function keyOf(code: string, salt: Uint8Array, cost: Cost): Promise<Buffer> {
  const { ln, r, p } = cost;
  return scryptKey(code, salt, KEY_BYTES, { N: 2 ** ln, r, p, maxmem: 2 * memoryOf(cost) + 1024 * 1024 });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '');
