// The little of express-session that the pages use: it is the reader's, and not installed here.
declare module 'express-session' {
  import type { RequestHandler } from 'express';

  interface SessionData {
    cookie: object;
  }
  export default function session(options: object): RequestHandler;
}

declare namespace Express {
  interface Request {
    session: Partial<import('express-session').SessionData> & {
      regenerate(done: (error: unknown) => void): void;
    };
  }
}
