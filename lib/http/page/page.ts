import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { CibaError } from '../../errors.js';
import type { CibaOptions, Decider } from '../../options.js';
import type { Links } from '../../request/links.js';
import type { Requests } from '../../request/requests.js';
import type { Seals } from '../../request/seals.js';
import type { RequestView } from '../../request/view.js';
import type { PageSettings } from '../../settings/page.js';
import { isBodyError } from '../body-error.js';
import { isPathError } from '../path-error.js';
import { ASSETS_VERSION, SCRIPT, STYLE } from './assets.js';
import { type Language, languageOf } from './language.js';
import { Passkeys } from './passkeys.js';
import { isShownWhole } from './request-card.js';
import { guarded } from './security-headers.js';
import { type Notice, View } from './view.js';

/** What the decision page works with. */
export interface DecisionPageParts {
  readonly requests: Requests;
  readonly links: Links;
  readonly seals: Seals;
  /** Uses a challenge up; `false` where it was used before. */
  readonly useChallenge: (challenge: string, lifetime: number) => Promise<boolean>;
  readonly interaction: NonNullable<CibaOptions['interaction']>;
  readonly page: PageSettings;
  /** Where people reach the page: its scheme, host and port. */
  readonly origin: string;
}

/** How often a browser may keep the assets, in seconds: their address changes with them. */
const ASSETS_LIFE = 31_536_000;

/**
 * The decision page behind the links of prompts. Opening one decides nothing; deciding takes the hinted person, signed in, and a form that was
 * sent by the page for them.
 */
export function decisionPage(parts: DecisionPageParts): Router {
  // A slash behind a link would move what stands beside it.
  const router = Router({ strict: true });
  const page = new DecisionPage(parts);
  const route =
    (answer: (req: Request, res: Response) => Promise<void>) =>
    async (req: Request, res: Response, next: NextFunction): Promise<void> => {
      try {
        await answer(req, res);
      } catch (error) {
        next(error);
      }
    };
  router.use(guarded);
  router.get('/assets/page.css', asset('text/css', STYLE));
  router.get('/assets/page.js', asset('text/javascript', SCRIPT));
  router.get(
    '/:token',
    route((req, res) => page.show(req, res)),
  );
  router.post(
    '/:token',
    express.urlencoded({ extended: false, limit: '8kb', parameterLimit: 20, inflate: false }),
    route((req, res) => page.decide(req, res)),
  );
  if (page.passkeys) {
    router.use(
      '/:token/passkey',
      page.passkeys.routes((req) => page.pendingRequestOf(req)),
    );
  }
  router.use((error: unknown, req: Request, res: Response, next: NextFunction) =>
    page.explain(error, req, res, next),
  );
  return router;
}

const asset = (type: string, content: string) => (req: Request, res: Response) => {
  if (req.query['v'] === ASSETS_VERSION)
    res.set('Cache-Control', `public, max-age=${ASSETS_LIFE}, immutable`);
  res.type(type).send(content);
};

class DecisionPage {
  readonly passkeys: Passkeys | undefined;
  readonly #parts: DecisionPageParts;

  constructor(parts: DecisionPageParts) {
    this.#parts = parts;
    const { passkeys: options } = parts.page;
    const { seals, origin, useChallenge } = parts;
    const pathOf = (req: Request): string => parts.links.pathOf(tokenIn(req));
    this.passkeys = options && new Passkeys({ options, seals, origin, useChallenge, pathOf });
  }

  async show(req: Request, res: Response): Promise<void> {
    const view = this.#view(req, res);
    const found = await this.#find(req);
    if (typeof found === 'string') return view.show(found);
    if (found.status !== 'pending') return this.#showOutcome(req, res, view, found);
    const decider = await this.#deciderOf(req, res, found, this.#mayLogIn(req));
    if (isAnswered(res)) return;
    if (!decider) return view.signIn(this.passkeys !== undefined);
    if (decider.accountId !== found.accountId) return view.show('stranger');
    view.request(found, this.#sealOf(found));
  }

  /** What became of a request is for its person; anybody else who has the link hears that it has been used, or is over. */
  async #showOutcome(req: Request, res: Response, view: View, request: RequestView): Promise<void> {
    const decider = await this.#deciderOf(req, res, request, false);
    if (isAnswered(res)) return;
    const isTheirs = decider?.accountId === request.accountId;
    if (isTheirs) view.show(OUTCOMES[request.status], request, this.#sealOf(request));
    else view.show(request.status === 'expired' ? 'expired' : 'used');
  }

  async decide(req: Request, res: Response): Promise<void> {
    const view = this.#view(req, res);
    const found = await this.#find(req);
    if (typeof found === 'string') return view.show(found);
    const { verdict, form, number } = (req.body ?? {}) as Record<string, unknown>;
    // Only what the person did not start can still be said of a request that has ended.
    if (found.status !== 'pending' && verdict !== 'report') {
      if (found.status === 'expired') return this.#showOutcome(req, res, view, found);
      return res.redirect(303, tokenIn(req));
    }
    // Nobody is sent elsewhere by a form: browsers hold a form's redirects to this origin. The link leads there.
    const decider = await this.#deciderOf(req, res, found, false);
    if (isAnswered(res)) return;
    if (!decider) return view.signIn(true);
    if (decider.accountId !== found.accountId) return view.show('stranger');
    const sealed = this.#parts.seals.fits(String(form), 'form', found.handle, found.accountId);
    if (!sealed || req.get('sec-fetch-site') === 'cross-site') return view.show('form');
    if (verdict === 'approve' && !isShownWhole(found)) return view.show('form');
    if (verdict === 'approve' && found.numberMatching && !/^\s*[0-9]{2}\s*$/.test(String(number))) {
      return view.request(found, { ...this.#sealOf(found), problem: view.language.texts.numberMissing }, 422);
    }
    const outcome = await this.#apply(found, decider, verdict, number);
    if (outcome === undefined) return view.show('form');
    if (outcome === 'outcome') return res.redirect(303, tokenIn(req));
    view.show(outcome, found);
  }

  /** The pending request of a link, for signing in to it. */
  async pendingRequestOf(req: Request): Promise<RequestView | undefined> {
    const found = await this.#find(req);
    return typeof found === 'string' || found.status !== 'pending' ? undefined : found;
  }

  /** The four parameters are how Express knows an error handler. */
  explain(error: unknown, req: Request, res: Response, next: NextFunction): void {
    if (res.headersSent) next(error);
    else if (error instanceof CibaError && error.code === 'store_unavailable') {
      res.set('Retry-After', '5');
      // What was sent may have been decided: nobody knows.
      this.#view(req, res).show(req.method === 'POST' ? 'unknown' : 'unavailable');
    } else if (isPathError(error)) this.#view(req, res).show('invalid');
    else if (isBodyError(error)) this.#view(req, res).show('form');
    else next(error);
  }

  /** Decides; gives what is to be shown, `outcome` where the link itself shows it, and nothing where there is no such verdict. */
  async #apply(
    { handle }: RequestView,
    { accountId, acr, amr, authTime }: Decider,
    verdict: unknown,
    number: unknown,
  ): Promise<Notice | 'outcome' | undefined> {
    const { requests } = this.#parts;
    try {
      if (verdict === 'approve') {
        const typed = typeof number === 'string' ? number : undefined;
        await requests.approve(handle, { accountId, acr, amr, authTime, number: typed });
      } else if (verdict === 'deny') await requests.deny(handle, { accountId });
      else if (verdict === 'report') {
        await requests.report(handle, { accountId });
        // What was decided before stays as it was, and must not be told as denied.
        return (await requests.get(handle))?.status === 'denied' ? 'reported' : 'blocked';
      } else return undefined;
      return 'outcome';
    } catch (error) {
      if (!(error instanceof CibaError)) throw error;
      if (error.code === 'wrong_number') return 'wrongNumber';
      if (error.code === 'acr_not_met') return 'refused';
      // Somebody, or the end of its time, was faster: the link shows what stands.
      if (error.outcome !== undefined || error.code === 'not_found') return 'outcome';
      throw error;
    }
  }

  /** The request of a link, or what is to be shown instead. */
  async #find(req: Request): Promise<RequestView | Notice> {
    const handle = this.#parts.links.handleOf(tokenIn(req));
    if (handle === undefined) return 'invalid';
    const request = await this.#parts.requests.get(handle);
    return request ?? 'expired';
  }

  /** Who is there. Whoever has chosen to sign in by the server's login is nobody by a passkey any more. */
  async #deciderOf(
    req: Request,
    res: Response,
    request: RequestView,
    login: boolean,
  ): Promise<Decider | undefined> {
    if (req.query['login'] !== undefined) this.passkeys?.signOut(req, res);
    else {
      const byPasskey = this.passkeys?.deciderOf(req, request);
      if (byPasskey) return byPasskey;
    }
    const returnTo = this.#parts.links.pathOf(tokenIn(req));
    return this.#parts.interaction(req, res, { request, returnTo, login });
  }

  /** Where there are passkeys the server's own login comes when it is chosen. */
  #mayLogIn(req: Request): boolean {
    return !this.passkeys || req.query['login'] !== undefined;
  }

  #sealOf({ handle, accountId }: RequestView): { seal: string } {
    return { seal: this.#parts.seals.of('form', handle, accountId) };
  }

  #view(req: Request, res: Response): View {
    const language: Language = languageOf(req, this.#parts.page.texts);
    return new View(res, language, this.passkeys !== undefined);
  }
}

/** The token of the link. It is the last part of its address, so that it leads back there wherever the page is mounted. */
const tokenIn = (req: Request): string => String(req.params['token']);

/** Whether the server has answered itself. */
const isAnswered = (res: Response): boolean => res.headersSent || res.writableEnded;

/** What the person of a request that has ended is told of it; one that is pending is shown instead. */
const OUTCOMES: Readonly<Record<RequestView['status'], Notice>> = {
  pending: 'used',
  approved: 'approved',
  claimed: 'approved',
  redeemed: 'approved',
  delivered: 'approved',
  undeliverable: 'approved',
  denied: 'denied',
  cancelled: 'cancelled',
  expired: 'expired',
};
