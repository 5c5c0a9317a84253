import { Router } from 'express';
import type { Ciba } from 'oidc-provider-ciba';
import { people, personById } from './accounts.js';
import { field, jsonBody } from './http.js';
import { openStream } from './live-stream.js';
import { feedPending } from './pending-feed.js';
import { PHONE_COOKIE, type PhoneSession } from './phone-session.js';

/** What the phone page calls beside the plugin's decision endpoints: signing in and out, and the live list of prompts. */
export function phoneRoutes(ciba: Ciba, session: PhoneSession, serverStops: AbortSignal): Router {
  const router = Router();

  router.get('/phone/session', (req, res) => {
    const person = personById(session.read(req)?.accountId);
    res.set('Cache-Control', 'no-store').json({ person: person ?? null, people });
  });

  router.post('/phone/login', jsonBody, (req, res) => {
    const person = personById(field(req, 'account'));
    if (!person) {
      res.status(400).json({ error: 'invalid_request', error_description: 'nobody here has this account' });
      return;
    }
    res.cookie(PHONE_COOKIE, session.issue(person.id), session.cookieOptions).json({ person });
  });

  router.post('/phone/logout', jsonBody, (_req, res) => {
    const { maxAge: _, ...options } = session.cookieOptions;
    res.clearCookie(PHONE_COOKIE, options).status(204).end();
  });

  router.get('/phone/events', (req, res) => {
    const decider = session.read(req);
    if (!decider) {
      res.status(401).json({ error: 'login_required', error_description: 'nobody is signed in' });
      return;
    }
    feedPending(ciba, decider.accountId, openStream(res, serverStops));
  });
  return router;
}
