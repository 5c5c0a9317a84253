import type { IncomingMessage } from 'node:http';

/**
 * Takes a body of a known length out of a request, so that it can be put back at any time later: read to the byte, the stream has not
 * told its end. Nothing where somebody else has read it; where the client has gone, nobody is called.
 */
export function takeBody(
  req: IncomingMessage,
  length: number,
  taken: (body: Buffer | undefined) => void,
): void {
  // Mostly it has come in one packet with the head, which is being parsed in this turn.
  process.nextTick(() => {
    const body = req.read(length) as Buffer | null;
    if (body !== null) taken(body);
    else if (req.readableEnded) taken(undefined);
    else takeLater(req, length, taken);
  });
}

function takeLater(req: IncomingMessage, length: number, taken: (body: Buffer | undefined) => void): void {
  const done = (body?: Buffer): void => {
    req.off('readable', look).off('end', ended);
    taken(body);
  };
  const ended = (): void => done();
  const look = (): void => {
    const body = req.read(length) as Buffer | null;
    if (body !== null) done(body);
  };
  req.on('readable', look).on('end', ended);
}

/** Puts it back, to be read by somebody else. */
export function giveBack(req: IncomingMessage, body: Buffer): void {
  req.unshift(body);
}

/** Lets the stream come to its end, where nobody else will read it. */
export function finish(req: IncomingMessage): void {
  if (req.complete) req.read();
  else req.resume();
}
