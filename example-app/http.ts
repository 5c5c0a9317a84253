import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { CibaError } from 'oidc-provider-ciba';

const POLICY = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join('; ');

/** A mail shown on a page is under that page's policy, and has its styles in its text. */
const MAIL_POLICY = `${POLICY}; style-src 'self' 'unsafe-inline'`;

/** Pages that are elsewhere than their files. */
const ELSEWHERE: Readonly<Record<string, string>> = { '/phone/sign-in': '/sign-in.html' };

/** The pages and what they load: `/till` is `public/till.html`. */
export function pages(): RequestHandler {
  const files = publicFiles();
  return (req, res, next) => {
    const file = ELSEWHERE[req.path];
    if (file) req.url = file;
    files(req, res, next);
  };
}

function publicFiles(): RequestHandler {
  return express.static(fileURLToPath(new URL('public', import.meta.url)), {
    extensions: ['html'],
    redirect: false,
    setHeaders: (res, path) => {
      res.set({
        'Content-Security-Policy': path.endsWith('mailbox.html') ? MAIL_POLICY : POLICY,
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
        'Cache-Control': 'no-cache',
      });
    },
  });
}

/** Express 4 does not look at what becomes of a handler's promise. */
export const handled =
  (handler: (req: Request, res: Response) => Promise<unknown>): RequestHandler =>
  (req, res, next) => {
    handler(req, res).catch(next);
  };

/**
 * Reads the body of a POST from the example's own pages. Another site's form cannot send JSON without asking first, so what
 * arrives here with the person's cookies was sent by a page of ours.
 */
export const jsonBody: RequestHandler = (req, res, next) => {
  if (req.is('application/json')) parseJson(req, res, next);
  else
    res
      .status(415)
      .json({ error: 'invalid_request', error_description: 'send the body as application/json' });
};

const parseJson = express.json({ limit: '16kb' });

/** A member of a body that {@link jsonBody} has read. */
export function field(req: Request, name: string): unknown {
  const body: unknown = req.body;
  return typeof body === 'object' && body !== null && Object.hasOwn(body, name)
    ? (body as Record<string, unknown>)[name]
    : undefined;
}

/** How the errors of the plugin read over HTTP. */
const STATUS: Readonly<Partial<Record<CibaError['code'], number>>> = {
  not_found: 404,
  already_decided: 409,
  expired: 410,
  store_unavailable: 503,
};

/** The last handler: an error becomes JSON, and what is inside it stays in the log. */
export function answerError(error: unknown, _req: Request, res: Response, next: NextFunction): void {
  if (res.headersSent) {
    next(error);
    return;
  }
  const status = statusOf(error);
  if (error instanceof CibaError && status !== 500) {
    if (status === 503) res.set('Retry-After', '5');
    res.status(status).json({
      error: status === 503 ? 'temporarily_unavailable' : error.code,
      error_description: error.message,
      ...(error.outcome && { outcome: error.outcome }),
    });
  } else if (status < 500) {
    res
      .status(status)
      .json({ error: 'invalid_request', error_description: 'the request could not be understood' });
  } else {
    const reference = randomUUID();
    console.error(`error ${reference}:`, error);
    res
      .status(500)
      .json({ error: 'server_error', error_description: `look for ${reference} in the server's log` });
  }
}

function statusOf(error: unknown): number {
  if (error instanceof CibaError) return STATUS[error.code] ?? 500;
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}
