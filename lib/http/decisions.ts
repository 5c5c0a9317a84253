import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { CibaError, type CibaErrorCode } from '../errors.js';
import type { CibaOptions, Decider } from '../options.js';
import type { Approval, Requests } from '../request/requests.js';
import type { RequestView } from '../request/view.js';
import { isBodyError } from './body-error.js';
import { isPathError } from './path-error.js';
import { onlyMethod } from './wrong-method.js';

type Authenticate = NonNullable<CibaOptions['authenticateDecision']>;
type Answer = (req: Request, decider: Decider) => Promise<object>;

/** How each error reads over HTTP. Somebody else's request is told as none at all. */
const STATUS: Readonly<Partial<Record<CibaErrorCode, number>>> = {
  not_found: 404,
  forbidden: 404,
  already_decided: 409,
  expired: 410,
  acr_not_met: 403,
  wrong_number: 403,
  invalid_decision: 400,
  store_unavailable: 503,
};

/** The endpoints of an authenticator app: what is pending for me, one of it, yes, no, and that I did not start it. */
export function decisionRouter(requests: Requests, authenticate: Authenticate): Router {
  const router = Router();
  const route = (answer: Answer) => async (req: Request, res: Response, next: NextFunction) => {
    try {
      const decider = await authenticate(req);
      if (!decider) {
        res.status(401).json({ error: 'login_required', error_description: 'nobody is signed in' });
        return;
      }
      res.json(await answer(req, decider));
    } catch (error) {
      next(error);
    }
  };
  const ofMine = async (req: Request, { accountId }: Decider): Promise<RequestView> => {
    const request = await requests.get(handleIn(req));
    if (request?.accountId !== accountId) throw new CibaError('not_found', 'there is no such request');
    return request;
  };

  router.use(neverCached);
  router.get(
    '/',
    route(async (_req, { accountId }) => ({ requests: (await requests.list(accountId)).map(document) })),
  );
  router.all('/', onlyMethod('GET'));
  router.get(
    '/:handle',
    route(async (req, decider) => document(await ofMine(req, decider))),
  );
  router.all('/:handle', onlyMethod('GET'));
  const decide = (verdict: string, answer: Answer): void => {
    router.post(
      `/:handle/${verdict}`,
      onlyJson,
      express.json({ limit: '8kb', inflate: false }),
      route(answer),
    );
    router.all(`/:handle/${verdict}`, onlyMethod('POST'));
  };
  decide('approve', async (req, { accountId, acr, amr, authTime }) => {
    const scope = textIn(req, 'scope');
    const number = textIn(req, 'number');
    const approval: Approval = { accountId, acr, amr, authTime, scope, number };
    await requests.approve(handleIn(req), approval);
    return { outcome: 'approved' };
  });
  decide('deny', async (req, { accountId }) => {
    await requests.deny(handleIn(req), { accountId, description: textIn(req, 'description') });
    return { outcome: 'denied' };
  });
  decide('report', async (req, { accountId }) => {
    await requests.report(handleIn(req), { accountId });
    return { outcome: 'reported' };
  });
  router.use(explain);
  return router;
}

function neverCached(_req: Request, res: Response, next: NextFunction): void {
  res.set('Cache-Control', 'no-store');
  next();
}

/** A form of another site can send every other type with the person's cookies, but not this one without asking first. */
function onlyJson(req: Request, res: Response, next: NextFunction): void {
  if (req.is('application/json')) next();
  else
    res
      .status(415)
      .json({ error: 'invalid_request', error_description: 'only application/json is accepted' });
}

const WRONG_BODIES: Readonly<Record<number, string>> = {
  413: 'is too large',
  415: 'is encoded as it may not be',
};

/** The four parameters are how Express knows an error handler. */
function explain(thrown: unknown, _req: Request, res: Response, next: NextFunction): void {
  const error = isPathError(thrown) ? new CibaError('not_found', 'there is no such request') : thrown;
  if (error instanceof CibaError) {
    const status = STATUS[error.code] ?? 500;
    if (status === 503) res.set('Retry-After', '5');
    const code = status === 404 ? 'not_found' : status === 503 ? 'temporarily_unavailable' : error.code;
    const description = status === 404 ? 'there is no such request' : error.message;
    res.status(status).json({
      error: code,
      error_description: description,
      ...(error.outcome && { outcome: error.outcome }),
    });
  } else if (isBodyError(error)) {
    const wrong = WRONG_BODIES[error.status] ?? 'is not valid JSON';
    res.status(error.status).json({ error: 'invalid_request', error_description: `the body ${wrong}` });
  } else {
    next(error);
  }
}

/** A request as the endpoints show it. */
function document(request: RequestView): object {
  return {
    handle: request.handle,
    status: request.status,
    client_id: request.clientId,
    client_name: request.clientName,
    scope: request.scope,
    binding_message: request.bindingMessage,
    acr_values: request.acrValues,
    authorization_details: request.authorizationDetails,
    resources: request.resources,
    claims: request.claims,
    request_context: request.requestContext,
    number_matching: request.numberMatching,
    expires_at: request.expiresAt.toISOString(),
    expires_in: request.expiresIn,
  };
}

const handleIn = (req: Request): string => String(req.params['handle']);

/** A member of the body that may be left out. */
function textIn(req: Request, name: string): string | undefined {
  const body: unknown = req.body ?? {};
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new CibaError('invalid_decision', 'the body must be a JSON object');
  }
  const value: unknown = (body as Record<string, unknown>)[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new CibaError('invalid_decision', `${name} must be a string`);
}
