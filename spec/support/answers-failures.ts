import type { Request, RequestHandler, Response } from 'express';

/** What a handler throws goes to Express: version 4 does not look at promises, and would answer nothing. */
export function answersFailures(handler: (req: Request, res: Response) => Promise<unknown>): RequestHandler {
  return (req, res, next) => {
    handler(req, res).catch(next);
  };
}
