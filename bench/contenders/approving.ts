import { type RequestHandler, Router } from 'express';

/** The server's own code, which somebody who has signed in reaches: `POST /approve?auth_req_id=…&account=…`. */
export function approving(
  approve: (authReqId: string, accountId: string) => Promise<unknown>,
): RequestHandler {
  return Router().post('/approve', async (req, res) => {
    await approve(String(req.query['auth_req_id']), String(req.query['account']));
    res.send('approved');
  });
}
