import { type NextFunction, type Request, type Response, Router } from 'express';
import type Provider from 'oidc-provider';
import type { Settings } from '../options.js';
import type { Paths } from '../provider/attach.js';
import type { Requests } from '../request/requests.js';
import { decisionRouter } from './decisions.js';

/** What the routes are made of. */
export interface RouterParts {
  readonly provider: Provider;
  readonly paths: Paths;
  readonly requests: Requests;
  readonly settings: Settings;
}

/**
 * The table of routes. Both protocol endpoints are answered by the provider itself, whose pipeline the plugin has extended;
 * the decision endpoints are there only where the server says who is asking.
 */
export function cibaRouter({ provider, paths, requests, settings }: RouterParts): Router {
  const router = Router();
  // Made at the first request: middleware that the server adds to the provider until then is part of it.
  let pipeline: ReturnType<Provider['callback']> | undefined;
  const answer = (req: Request, res: Response): void => {
    pipeline ??= provider.callback();
    void pipeline(req, res);
  };

  router.post(paths.backchannel, answer);
  router.all(paths.backchannel, onlyPost);
  router.post(paths.token, answer);
  router.options(paths.token, answer);
  router.all(paths.token, onlyPost);
  if (settings.authenticateDecision) {
    router.use(settings.decisionPath, decisionRouter(requests, settings.authenticateDecision));
  }
  return router;
}

/** Another method is refused without a look at what it carries. */
function onlyPost(_req: Request, res: Response, _next: NextFunction): void {
  res.status(405).set({ Allow: 'POST', 'Cache-Control': 'no-store' }).json({
    error: 'invalid_request',
    error_description: 'only POST is allowed',
  });
}
