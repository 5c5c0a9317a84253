import type { Request, RequestHandler, Response } from 'express';

/** Refuses what comes by another method than those allowed, without a look at what it carries (RFC 9110 15.5.6). */
export function refuseMethod(res: Response, allowed: string): void {
  res.status(405).set({ Allow: allowed, 'Cache-Control': 'no-store' });
  res.json({ error: 'invalid_request', error_description: `only ${allowed} is allowed` });
}

/** Lets one method pass, and OPTIONS, which is somebody else's to answer. */
export function onlyMethod(allowed: string): RequestHandler {
  return (req: Request, res: Response, next): void => {
    if (req.method === allowed || req.method === 'OPTIONS') next();
    else refuseMethod(res, allowed);
  };
}
