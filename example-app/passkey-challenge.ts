import type { Request, Response } from 'express';
import { SignedCookie } from './signed-cookie.js';
import type { Storage } from './storage.js';

const LIFETIME = 300;

/** What a passkey is asked to sign: kept in a signed cookie of the browser that asked, and good for one answer. */
export class PasskeyChallenge {
  readonly #cookie: SignedCookie;
  readonly #storage: Storage;

  constructor(storage: Storage, secret: string, secure: boolean) {
    this.#storage = storage;
    this.#cookie = new SignedCookie({
      name: 'example_challenge',
      secret,
      secure,
      sameSite: 'strict',
      lifetime: LIFETIME,
    });
  }

  /** `purpose` says what is signed for: an answer to another one's challenge is none. */
  open(res: Response, purpose: string, challenge: string): void {
    this.#cookie.set(res, `${purpose}.${challenge}`);
  }

  /** The challenge of this browser, or nothing where there is none, or it was answered before. */
  async take(req: Request, res: Response, purpose: string): Promise<string | undefined> {
    const [given, challenge] = this.#cookie.read(req)?.text.split('.') ?? [];
    this.#cookie.clear(res);
    if (given !== purpose || !challenge) return undefined;
    return (await this.#storage.isFirst(`challenge:${challenge}`, LIFETIME)) ? challenge : undefined;
  }
}
