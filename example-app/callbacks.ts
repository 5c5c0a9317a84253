import { createHash, timingSafeEqual } from 'node:crypto';
import express, { type Request, Router } from 'express';
import type { CalledMode } from './clients.js';
import { field } from './http.js';

/** A call of the server, without the token that it proved itself with. */
export interface Callback {
  readonly at: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request about which the server is to call. */
export interface Awaited {
  readonly mode: CalledMode;
  /** The `client_notification_token` that the request was made with. */
  readonly token: string;
  hear(callback: Callback): unknown;
}

/**
 * Where the server calls a client in ping and push mode (CIBA Core 10.2, 10.3), by `auth_req_id`. Whoever does not know the
 * token of that very request is nobody. Others are answered at once: what the call brings is looked at afterwards, so that the
 * server need not wait and does not call again.
 */
export function callbackRoutes(awaited: ReadonlyMap<unknown, Awaited>): Router {
  const router = Router();
  router.post('/demo/callbacks/:mode', express.json({ limit: '64kb' }), (req, res) => {
    const found = awaited.get(field(req, 'auth_req_id'));
    if (!found || found.mode !== req.params['mode'] || !isSame(bearerOf(req), found.token)) {
      res.set('WWW-Authenticate', 'Bearer').status(401).json({ error: 'invalid_token' });
      return;
    }
    res.status(204).end();
    found.hear({
      at: new Date().toISOString(),
      path: req.path,
      headers: { authorization: 'Bearer ••••••••', 'content-type': req.get('content-type') },
      body: req.body,
    });
  });
  return router;
}

function bearerOf(req: Request): string {
  return /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1] ?? '';
}

/** Takes as long however much of a guess is right: the digests of any two strings have the same length. */
function isSame(given: string, expected: string): boolean {
  const [one, other] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
