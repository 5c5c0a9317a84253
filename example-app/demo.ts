import { Router } from 'express';
import type { Ciba } from 'oidc-provider-ciba';
import { handled } from './http.js';

/**
 * `POST /demo/decide?auth_req_id=…&action=allow|deny` decides as the person who was asked, so that a script needs no phone.
 * It asks nobody who they are: in production it is not there. No other site can call it, as none knows an `auth_req_id`.
 */
export function demoRoutes({ requests }: Ciba, production: boolean): Router {
  const router = Router();
  router.post(
    '/demo/decide',
    handled(async (req, res) => {
      const { auth_req_id: authReqId, action } = req.query;
      res.set('Cache-Control', 'no-store');
      if (production) {
        res
          .status(404)
          .json({ error: 'not_found', error_description: 'there is nothing here in production' });
        return;
      }
      if (typeof authReqId !== 'string' || (action !== 'allow' && action !== 'deny')) {
        res.status(400).json({
          error: 'invalid_request',
          error_description: 'give auth_req_id and action, which is allow or deny',
        });
        return;
      }
      const handle = requests.handleOf(authReqId);
      const request = await requests.get(handle);
      if (!request) {
        res.status(404).json({ error: 'not_found', error_description: 'there is no such request' });
        return;
      }
      const { accountId } = request;
      if (action === 'deny') await requests.deny(handle, { accountId });
      else {
        const authTime = Math.floor(Date.now() / 1000);
        await requests.approve(handle, { accountId, acr: 'urn:example:demo', amr: ['demo'], authTime });
      }
      res.status(204).end();
    }),
  );
  return router;
}
