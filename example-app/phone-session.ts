import { createHmac, timingSafeEqual } from 'node:crypto';
import type { CookieOptions, Request } from 'express';
import type { Decider } from 'oidc-provider-ciba';
import { personById } from './accounts.js';

/** The name of the cookie that holds who is signed in on the phone. */
export const PHONE_COOKIE = 'example_phone';

const LIFETIME = 8 * 3600;

/**
 * Who is signed in on the phone page, in a signed cookie. Signing in takes no password here: a real server has a session, a
 * device key or a passkey in this place.
 */
export class PhoneSession {
  readonly #secret: string;
  readonly #secure: boolean;

  constructor(secret: string, secure: boolean) {
    this.#secret = secret;
    this.#secure = secure;
  }

  /** How the cookie is set: no script reads it, and no other site's request carries it. */
  get cookieOptions(): CookieOptions {
    return {
      httpOnly: true,
      sameSite: 'strict',
      secure: this.#secure,
      path: '/',
      maxAge: LIFETIME * 1000,
    };
  }

  /** The value of the cookie for somebody who signs in now. */
  issue(accountId: string): string {
    const content = `${accountId}.${now()}`;
    return `${content}.${this.#sign(content)}`;
  }

  /** What `authenticateDecision` of the plugin asks: who decides, and how they signed in. */
  read(req: Request): Decider | undefined {
    const [accountId = '', since = '', signature = ''] = (cookieOf(req) ?? '').split('.');
    const [given, expected] = [Buffer.from(signature), Buffer.from(this.#sign(`${accountId}.${since}`))];
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const authTime = Number(since);
    if (authTime + LIFETIME < now() || !personById(accountId)) return undefined;
    return { accountId, acr: 'urn:example:phone', amr: ['pop'], authTime };
  }

  #sign(content: string): string {
    return createHmac('sha256', this.#secret).update(`phone session ${content}`).digest('base64url');
  }
}

function cookieOf(req: Request): string | undefined {
  const cookies = (req.get('cookie') ?? '').split(';').map((cookie) => cookie.trim());
  return cookies.find((cookie) => cookie.startsWith(`${PHONE_COOKIE}=`))?.slice(PHONE_COOKIE.length + 1);
}

const now = (): number => Math.floor(Date.now() / 1000);
