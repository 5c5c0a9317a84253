import { randomBytes } from 'node:crypto';
import type {
  AuthenticationResponseJSON,
  AuthenticatorTransport,
  VerifiedAuthenticationResponse,
} from '@simplewebauthn/server';
import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { optionalPackage } from '../../optional-package.js';
import type { Decider, PasskeyOptions } from '../../options.js';
import type { Seals } from '../../request/seals.js';
import type { RequestView } from '../../request/view.js';
import { cookieOf, cookieOptions } from './cookies.js';

type Library = typeof import('@simplewebauthn/server');

/** How long a challenge may be answered, and how long somebody stays signed in to one request, in milliseconds. */
const CHALLENGE_LIFE = 120_000;
const SESSION_LIFE = 300_000;

const CHALLENGE_COOKIE = 'ciba_challenge';
const SESSION_COOKIE = 'ciba_decider';

/** What signing in with passkeys works with. */
export interface PasskeyParts {
  readonly options: PasskeyOptions;
  readonly seals: Seals;
  /** Where people reach the page: its scheme, host and port. */
  readonly origin: string;
  /** Uses a challenge up, for so many milliseconds; `false` where it was used before. */
  readonly useChallenge: (challenge: string, lifetime: number) => Promise<boolean>;
  /** The path of the page that a request is for, as the browser sees it. */
  readonly pathOf: (req: Request) => string;
}

/** Signs people in on the page with a passkey of theirs, to one request and for five minutes (WebAuthn). */
export class Passkeys {
  readonly #library: Library;
  readonly #parts: PasskeyParts;
  readonly #rpId: string;

  /** @throws {CibaError} `invalid_option` where the package is not installed */
  constructor(parts: PasskeyParts) {
    this.#library = optionalPackage<Library>(
      '@simplewebauthn/server',
      'page.passkeys',
      'needs the package @simplewebauthn/server: install it',
    );
    this.#parts = parts;
    this.#rpId = parts.options.rpId ?? new URL(parts.origin).hostname;
  }

  /** Who has signed in to this request in this browser. */
  deciderOf(req: Request, { handle, accountId }: RequestView): Decider | undefined {
    const [time = '', kind = '', seal = ''] = (cookieOf(req, SESSION_COOKIE) ?? '').split('.');
    if (!this.#parts.seals.fits(seal, 'session', handle, accountId, time, kind)) return undefined;
    if (Date.now() - Number(time) > SESSION_LIFE) return undefined;
    const { acr } = this.#parts.options;
    return { accountId, acr, amr: [kind, 'user'], authTime: Math.floor(Number(time) / 1000) };
  }

  /** Forgets in this browser who has signed in. */
  signOut(req: Request, res: Response): void {
    this.#set(req, res, SESSION_COOKIE, '', 0);
  }

  /** The two routes below a link: a challenge, and its answer. `requestOf` gives the pending request of the link. */
  routes(requestOf: (req: Request) => Promise<RequestView | undefined>): Router {
    const router = Router({ mergeParams: true });
    const route =
      (answer: (req: Request, res: Response, request: RequestView) => Promise<void>) =>
      async (req: Request, res: Response, next: NextFunction): Promise<void> => {
        try {
          // No form of another site can send this type without asking first.
          const request = req.is('application/json') ? await requestOf(req) : undefined;
          if (!request) refuse(res, 404, 'not_found');
          else await answer(req, res, request);
        } catch (error) {
          next(error);
        }
      };
    router.post(
      '/options',
      route((req, res, request) => this.#challenge(req, res, request)),
    );
    router.post(
      '/',
      express.json({ limit: '16kb', inflate: false }),
      route((req, res, request) => this.#signIn(req, res, request)),
    );
    return router;
  }

  async #challenge(req: Request, res: Response, { handle, accountId }: RequestView): Promise<void> {
    // Whoever has the link may ask: which passkeys a person has is not theirs to know, where the device can find its own.
    const { discoverable = true, of } = this.#parts.options;
    const passkeys = discoverable ? [] : await of(accountId);
    const challenge = randomBytes(32).toString('base64url');
    const options = await this.#library.generateAuthenticationOptions({
      rpID: this.#rpId,
      challenge: new Uint8Array(Buffer.from(challenge, 'base64url')),
      userVerification: 'required',
      allowCredentials: passkeys.map(({ id, transports }) => ({
        id,
        ...(transports && { transports: [...transports] as AuthenticatorTransport[] }),
      })),
    });
    const time = String(Date.now());
    const seal = this.#parts.seals.of('challenge', handle, challenge, time);
    this.#set(req, res, CHALLENGE_COOKIE, `${challenge}.${time}.${seal}`, CHALLENGE_LIFE);
    res.json(options);
  }

  async #signIn(req: Request, res: Response, request: RequestView): Promise<void> {
    const { handle, accountId } = request;
    const challenge = this.#challengeOf(req, handle);
    // This browser has answered it, whatever comes of that.
    this.#set(req, res, CHALLENGE_COOKIE, '', 0);
    const response = req.body as AuthenticationResponseJSON;
    const passkey = (await this.#parts.options.of(accountId)).find(({ id }) => id === response?.id);
    const used =
      challenge === undefined || passkey === undefined
        ? undefined
        : await this.#verified(response, challenge, passkey);
    // Once: who has seen the answer pass by must not sign in with it.
    if (!used || !passkey || !(await this.#parts.useChallenge(String(challenge), CHALLENGE_LIFE))) {
      refuse(res, 403, 'access_denied');
      return;
    }
    await this.#parts.options.used?.(accountId, passkey.id, used.newCounter);
    const time = String(Date.now());
    // RFC 8176: a key that other devices have as well is not bound to this one's hardware.
    const kind = used.credentialDeviceType === 'singleDevice' ? 'hwk' : 'swk';
    const seal = this.#parts.seals.of('session', handle, accountId, time, kind);
    this.#set(req, res, SESSION_COOKIE, `${time}.${kind}.${seal}`, SESSION_LIFE);
    res.status(204).end();
  }

  #challengeOf(req: Request, handle: string): string | undefined {
    const [challenge = '', time = '', seal = ''] = (cookieOf(req, CHALLENGE_COOKIE) ?? '').split('.');
    const fits = this.#parts.seals.fits(seal, 'challenge', handle, challenge, time);
    return fits && Date.now() - Number(time) <= CHALLENGE_LIFE ? challenge : undefined;
  }

  /** What the verification says of this use, or nothing where the answer is not good. */
  async #verified(
    response: AuthenticationResponseJSON,
    expectedChallenge: string,
    { id, publicKey, counter }: Awaited<ReturnType<PasskeyOptions['of']>>[number],
  ): Promise<VerifiedAuthenticationResponse['authenticationInfo'] | undefined> {
    try {
      const { verified, authenticationInfo } = await this.#library.verifyAuthenticationResponse({
        response,
        expectedChallenge,
        expectedOrigin: this.#parts.origin,
        expectedRPID: this.#rpId,
        requireUserVerification: true,
        credential: { id, publicKey: new Uint8Array(publicKey), counter },
      });
      return verified ? authenticationInfo : undefined;
    } catch {
      return undefined;
    }
  }

  #set(req: Request, res: Response, name: string, value: string, lifetime: number): void {
    const secure = this.#parts.origin.startsWith('https:');
    res.cookie(name, value, cookieOptions(this.#parts.pathOf(req), secure, lifetime));
  }
}

function refuse(res: Response, status: number, error: string): void {
  res.status(status).json({ error });
}
