import { type Request, type Response, Router } from 'express';
import type { Settings } from '../options.js';
import type { Paths } from '../provider/attach.js';
import type { Requests } from '../request/requests.js';
import { decisionRouter } from './decisions.js';

/** What the routes are made of. */
export interface RouterParts {
  readonly paths: Paths;
  readonly requests: Requests;
  readonly settings: Settings;
}

/**
 * The table of routes. A POST to either protocol endpoint goes on to the provider, whose pipeline the plugin has extended, and
 * passes whatever the server has put in front of it. The decision endpoints are there only where the server says who is asking.
 */
export function cibaRouter({ paths, requests, settings }: RouterParts): Router {
  const router = Router();
  router.all(paths.backchannel, onlyPost);
  // A preflight is oidc-provider's to answer, for the clients that the server lets call from a browser.
  router.all(paths.token, (req, res, next) => (req.method === 'OPTIONS' ? next() : onlyPost(req, res, next)));
  if (settings.authenticateDecision) {
    router.use(settings.decisionPath, decisionRouter(requests, settings.authenticateDecision));
  }
  return router;
}

/** Another method is refused without a look at what it carries. */
function onlyPost(req: Request, res: Response, next: () => void): void {
  if (req.method === 'POST') next();
  else {
    res.status(405).set({ Allow: 'POST', 'Cache-Control': 'no-store' });
    res.json({ error: 'invalid_request', error_description: 'only POST is allowed' });
  }
}
