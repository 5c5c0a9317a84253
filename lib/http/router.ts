import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Paths } from '../provider/attach.js';
import type { Links } from '../request/links.js';
import type { Requests } from '../request/requests.js';
import type { Seals } from '../request/seals.js';
import type { Settings } from '../settings/settings.js';
import { type CompatParts, compatFilter } from './compat/filter.js';
import { decisionRouter } from './decisions.js';
import { decisionPage } from './page/page.js';
import type { TokenGate } from './token-gate.js';
import { onlyMethod, refuseMethod } from './wrong-method.js';

/** What the routes are made of. */
export interface RouterParts {
  readonly paths: Paths;
  readonly requests: Requests;
  readonly settings: Settings;
  /** Left out where there is no decision page. */
  readonly page?: PageParts | undefined;
  readonly gate: TokenGate;
  readonly provider: CompatParts['provider'];
  readonly used: CompatParts['used'];
}

/** What the decision page is made of. */
export interface PageParts {
  readonly links: Links;
  readonly seals: Seals;
  /** Uses a passkey's challenge up. */
  readonly useChallenge: (challenge: string, lifetime: number) => Promise<boolean>;
  /** Where people reach it: its scheme, host and port. */
  readonly origin: string;
  /** The path that links take the router to be mounted at, where the server has not said what they begin with. */
  readonly assumedMount: string | undefined;
}

/**
 * The table of routes. A POST to either protocol endpoint goes on to the provider, whose pipeline the plugin has extended, but for the polls
 * that the gate answers. The decision endpoints and the decision page are there only
 * where the server says who is asking.
 */
export function cibaRouter({ paths, requests, settings, page, gate, provider, used }: RouterParts): Router {
  const router = Router();
  const { compat } = settings;
  // In front of all others: what follows sees a message of the standard.
  if (compat) router.use(compatFilter({ provider, paths, settings, compat, used }));
  if (page?.assumedMount !== undefined) router.all(paths.backchannel, warnOfLinks(page.assumedMount));
  router.all(paths.backchannel, onlyPost);
  // A preflight is oidc-provider's to answer, for the clients that the server lets call from a browser.
  router.all(paths.token, onlyMethod('POST'));
  if (settings.authenticateDecision) {
    router.use(settings.decisionPath, decisionRouter(requests, settings.authenticateDecision));
  }
  const { interaction } = settings;
  if (page && interaction) {
    router.use(settings.page.path, decisionPage({ ...page, requests, interaction, page: settings.page }));
  }
  if (settings.rememberCredentials === 0) return router;
  const straight = [
    ...(compat ? [] : [paths.token]),
    ...(compat || page?.assumedMount !== undefined ? [] : [paths.backchannel]),
  ];
  return withGate(router, paths.token, gate, new Set(straight));
}

/**
 * The same router, but for the gate in front, and for what has nothing to do in there: to go through a router costs more than the gate itself.
 */
function withGate(
  router: Router,
  tokenPath: string,
  { middleware }: TokenGate,
  straight: ReadonlySet<string>,
): Router {
  const ours = router.stack.length;
  const gated: RequestHandler = (req, res, next) => {
    // The server may have put something of its own into the router.
    const passes = req.method === 'POST' && straight.has(req.url) && router.stack.length === ours;
    const goOn = passes ? next : () => router(req, res, next);
    if (req.url === tokenPath) middleware(req, res, goOn);
    else goOn();
  };
  return Object.setPrototypeOf(gated, router) as Router;
}

/** Says once that links lead elsewhere than to this router: they are made of the issuer, which knows no mount path then. */
function warnOfLinks(assumed: string): (req: Request, res: Response, next: () => void) => void {
  let warned = false;
  return ({ baseUrl }, _res, next) => {
    if (!warned && baseUrl !== '' && baseUrl !== assumed) {
      warned = true;
      const sentence = `links of prompts do not lead to ${baseUrl}, where ciba.router() is mounted: set page.baseUrl`;
      process.emitWarning(sentence, 'CibaWarning');
    }
    next();
  };
}

/** Another method is refused without a look at what it carries. */
function onlyPost(req: Request, res: Response, next: () => void): void {
  if (req.method === 'POST') next();
  else refuseMethod(res, 'POST');
}
