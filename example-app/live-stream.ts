import type { Response } from 'express';

const HEARTBEAT = 15_000;

/** Server-sent events to one page. */
export interface LiveStream {
  send(event: string, data: object): void;
  end(): void;
  /** Aborted when the page has gone, the server stops, or `end` was called: whatever feeds the stream stops with it. */
  readonly over: AbortSignal;
}

/** Answers a request with a stream of events, until the page goes or the server stops. */
export function openStream(res: Response, serverStops: AbortSignal): LiveStream {
  const ended = new AbortController();
  res.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
  res.write('retry: 1000\n\n');
  const heartbeat = setInterval(() => res.write(':\n\n'), HEARTBEAT);

  const end = (): void => {
    if (ended.signal.aborted) return;
    ended.abort();
    clearInterval(heartbeat);
    serverStops.removeEventListener('abort', end);
    res.end();
  };
  res.once('close', end);
  // A page that went away while an event was written.
  res.on('error', end);
  if (serverStops.aborted) end();
  else serverStops.addEventListener('abort', end);

  return {
    over: ended.signal,
    end,
    send(event, data) {
      if (!ended.signal.aborted) res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    },
  };
}
