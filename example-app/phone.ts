import { type Request, type Response, Router } from 'express';
import type { Ciba } from 'oidc-provider-ciba';
import { people, personById } from './accounts.js';
import type { Blocked } from './blocked.js';
import { field, handled, jsonBody } from './http.js';
import { openStream } from './live-stream.js';
import type { Passkeys } from './passkeys.js';
import { feedPending } from './pending-feed.js';
import type { PhoneSession } from './phone-session.js';
import { type Subscriptions, subscriptionIn } from './subscriptions.js';

/** What the phone page works with. */
export interface PhoneParts {
  readonly ciba: Ciba;
  readonly session: PhoneSession;
  readonly subscriptions: Subscriptions;
  readonly passkeys: Passkeys;
  readonly blocked: Blocked;
  /** The key with which push services know this server (RFC 8292). */
  readonly vapidPublicKey: string;
  readonly serverStops: AbortSignal;
}

/**
 * What the phone page calls beside the plugin's decision endpoints: signing in and out, the live list of prompts, being notified, and
 * letting a client ask again.
 */
export function phoneRoutes(parts: PhoneParts): Router {
  const { ciba, session, subscriptions, passkeys, blocked, vapidPublicKey, serverStops } = parts;
  const router = Router();

  router.get(
    '/phone/session',
    handled(async (req, res) => {
      const person = personById(session.read(req)?.accountId);
      const known = person ? (await passkeys.of(person.id)).length : 0;
      res
        .set('Cache-Control', 'no-store')
        .json({ person: person ?? null, passkeys: known, people, vapidPublicKey });
    }),
  );

  router.post('/phone/login', jsonBody, (req, res) => {
    const person = personById(field(req, 'account'));
    if (!person) {
      res.status(400).json({ error: 'invalid_request', error_description: 'nobody here has this account' });
      return;
    }
    session.signIn(res, person.id, 'chosen');
    res.json({ person });
  });

  router.post('/phone/logout', jsonBody, (_req, res) => {
    session.signOut(res);
    res.status(204).end();
  });

  router.get('/phone/events', (req, res) => {
    const accountId = signedIn(req, res);
    if (!accountId) return;
    const stream = openStream(res, serverStops);
    feedPending(ciba, accountId, stream);
    blocked.feed(accountId, stream);
  });

  router.post(
    '/phone/subscriptions',
    jsonBody,
    handled(async (req, res) => {
      const accountId = signedIn(req, res);
      if (!accountId) return;
      const subscription = subscriptionIn(req.body);
      if (!subscription) {
        res.status(400).json({ error: 'invalid_request', error_description: 'this is no push subscription' });
      } else if (await subscriptions.add(accountId, subscription)) {
        res.status(204).end();
      } else {
        const sentence = 'as many devices are notified already as there may be';
        res.status(409).json({ error: 'too_many', error_description: sentence });
      }
    }),
  );

  router.delete(
    '/phone/subscriptions',
    jsonBody,
    handled(async (req, res) => {
      const accountId = signedIn(req, res);
      if (!accountId) return;
      await subscriptions.remove(accountId, String(field(req, 'endpoint')));
      res.status(204).end();
    }),
  );

  router.post(
    '/phone/unblock',
    jsonBody,
    handled(async (req, res) => {
      const accountId = signedIn(req, res);
      if (!accountId) return;
      await blocked.end(accountId, String(field(req, 'client')));
      res.status(204).end();
    }),
  );

  function signedIn(req: Request, res: Response): string | undefined {
    const accountId = session.read(req)?.accountId;
    if (!accountId)
      res.status(401).json({ error: 'login_required', error_description: 'nobody is signed in' });
    return accountId;
  }
  return router;
}
