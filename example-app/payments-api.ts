import { createHash, randomUUID } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import type Provider from 'oidc-provider';
import { field, handled, jsonBody } from './http.js';
import { PAYMENTS_API } from './payments.js';
import type { Storage } from './storage.js';

/** What a payment is. */
const MEMBERS = ['amount', 'currency', 'payee'] as const;

/** Longer than any token of a grant can be refreshed, in seconds: what oidc-provider gives a grant. */
const GRANT_LIFE = 14 * 24 * 60 * 60;

type AccessToken = InstanceType<Provider['AccessToken']>;

/**
 * `POST /payments` with an access token: the service that takes payments. It takes the payment that the person has agreed to, which the
 * token carries, and no other one, and takes it once.
 */
export function paymentsApi(provider: Provider, storage: Storage): Router {
  const router = Router();
  router.post(
    '/payments',
    jsonBody,
    handled(async (req, res) => {
      res.set('Cache-Control', 'no-store');
      const value = /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
      const token = value ? await provider.AccessToken.find(value) : undefined;
      if (!value || !token || !isForHere(token)) {
        res.set('WWW-Authenticate', 'Bearer error="invalid_token"');
        return refuse(res, 401, 'invalid_token', 'this is no access token for payments');
      }
      if (!agreedTo(token, req)) {
        return refuse(res, 403, 'insufficient_authorization', 'nobody has agreed to this payment');
      }
      const [amount, currency, payee] = MEMBERS.map((name) => field(req, name));
      // By what was agreed to, not by the token: a refreshed one is for the same payment.
      const digest = createHash('sha256')
        .update(JSON.stringify([amount, currency, payee]))
        .digest('base64url');
      if (!(await storage.isFirst(`payment:${token.grantId}:${digest}`, GRANT_LIFE))) {
        return refuse(res, 409, 'already_paid', 'this payment has been taken before');
      }
      res.status(201).json({ receipt: randomUUID(), amount, currency, payee, account: token.accountId });
    }),
  );
  return router;
}

/** One that is bound to a key is not taken from whoever merely holds it (RFC 9449 7.1, RFC 8705 3). */
function isForHere(token: AccessToken): boolean {
  return token.aud === PAYMENTS_API && !token.isSenderConstrained() && token.remainingTTL > 0;
}

function agreedTo({ rar = [] }: AccessToken, req: Request): boolean {
  return rar.some(
    (detail) => detail.type === 'payment' && MEMBERS.every((name) => detail[name] === field(req, name)),
  );
}

function refuse(res: Response, status: number, error: string, sentence: string): void {
  res.status(status).json({ error, error_description: sentence });
}
