import type { Request, Response } from 'express';
import type { Decider } from 'oidc-provider-ciba';
import { personById } from './accounts.js';
import { SignedCookie } from './signed-cookie.js';

/** The name of the cookie that holds who is signed in on the phone. */
export const PHONE_COOKIE = 'example_phone';

/** How somebody has signed in on the phone: by saying who they are, which proves nothing, or with a passkey. */
export type SignInMethod = 'chosen' | 'passkey';

/** The `acr` of a sign-in with a passkey, here and on the decision page. */
export const PASSKEY_ACR = 'urn:example:passkey';

/** What each method comes to in the ID Token. */
const REACHED: Readonly<Record<string, Pick<Decider, 'acr' | 'amr'>>> = {
  chosen: { acr: 'urn:example:phone', amr: ['pop'] },
  passkey: { acr: PASSKEY_ACR, amr: ['pop', 'user'] },
};

/**
 * Who is signed in on the phone page, in a signed cookie. Choosing oneself from a list takes no password here: a real server has its
 * own login in this place.
 */
export class PhoneSession {
  readonly #cookie: SignedCookie;

  constructor(secret: string, secure: boolean) {
    this.#cookie = new SignedCookie({
      name: PHONE_COOKIE,
      secret,
      secure,
      // Lax and not strict: a link in a mail, opened from another site, must find the person signed in. Nothing is lost by it, as
      // everything that changes something is a POST of JSON or carries a token of the form's.
      sameSite: 'lax',
      lifetime: 8 * 3600,
    });
  }

  /** The value of the cookie for somebody who signs in now. */
  issue(accountId: string, method: SignInMethod = 'chosen'): string {
    return this.#cookie.seal(`${accountId}.${method}`);
  }

  signIn(res: Response, accountId: string, method: SignInMethod): void {
    this.#cookie.set(res, `${accountId}.${method}`);
  }

  signOut(res: Response): void {
    this.#cookie.clear(res);
  }

  /** What the plugin asks: who decides, and how they signed in. */
  read(req: Request): Decider | undefined {
    const found = this.#cookie.read(req);
    const [accountId = '', method = ''] = found?.text.split('.') ?? [];
    const reached = Object.hasOwn(REACHED, method) ? REACHED[method] : undefined;
    return found && reached && personById(accountId)
      ? { accountId, ...reached, authTime: found.since }
      : undefined;
  }
}
