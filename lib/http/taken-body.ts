import type { IncomingMessage } from 'node:http';

/**
 * Takes a body of a known length out of a request, so that it can be put back at any time later: read to the byte, the stream has not
 * told its end. Nothing where the client has gone.
 */
export function takeBody(req: IncomingMessage, length: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const done = (body: Buffer | undefined): void => {
      req.off('readable', look).off('close', gone).off('error', gone);
      resolve(body);
    };
    const gone = (): void => done(undefined);
    const look = (): void => {
      const body = req.read(length) as Buffer | null;
      if (body !== null) done(body);
    };
    req.on('readable', look).on('close', gone).on('error', gone);
  });
}

/** Puts it back, to be read by somebody else. */
export function giveBack(req: IncomingMessage, body: Buffer): void {
  req.unshift(body);
}

/** Lets the stream come to its end, where nobody else will read it. */
export function finish(req: IncomingMessage): void {
  req.resume();
}
