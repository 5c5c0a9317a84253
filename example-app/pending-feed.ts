import { type Ciba, CibaError, type CibaEventName, type RequestView } from 'oidc-provider-ciba';
import type { LiveStream } from './live-stream.js';

/** How often to look again: another process on the same Redis may have taken a request, and its events stay there. */
const RECHECK = 2_000;

const EVENTS = [
  'request.accepted',
  'request.approved',
  'request.denied',
  'request.cancelled',
] as const satisfies CibaEventName[];

/**
 * Keeps a page informed of what waits for an account: `pending` with all of it whenever that changed, `ended` for each that
 * went away, `trouble` while the store does not answer.
 */
export function feedPending(ciba: Ciba, accountId: string, stream: LiveStream): void {
  if (stream.over.aborted) return;
  let known: readonly RequestView[] | undefined;
  let troubled = false;
  let running = false;
  let again = false;

  const look = async (): Promise<void> => {
    const pending = await ciba.requests.list(accountId);
    const gone = (known ?? []).filter(({ handle }) => !pending.some((other) => other.handle === handle));
    const ended = await Promise.all(gone.map((request) => endOf(ciba, request)));
    const changed = !known || troubled || gone.length > 0 || pending.length !== known.length;
    known = pending;
    troubled = false;
    if (changed) stream.send('pending', { requests: pending.map(promptOf) });
    for (const end of ended) stream.send('ended', end);
  };

  // One look at a time: what is told while one is under way brings another one after it.
  const check = async (): Promise<void> => {
    again = true;
    if (running) return;
    running = true;
    while (again && !stream.over.aborted) {
      again = false;
      await look().catch((error: unknown) => {
        if (!(error instanceof CibaError && error.code === 'store_unavailable')) console.error(error);
        if (!troubled) stream.send('trouble', {});
        troubled = true;
      });
    }
    running = false;
  };

  const unsubscribe = EVENTS.map((name) =>
    ciba.on(name, (event) => {
      if (event.accountId === accountId) void check();
    }),
  );
  const timer = setInterval(() => void check(), RECHECK);
  stream.over.addEventListener('abort', () => {
    clearInterval(timer);
    for (const stop of unsubscribe) stop();
  });
  void check();
}

async function endOf(ciba: Ciba, { handle, bindingMessage, clientName }: RequestView): Promise<object> {
  const status = (await ciba.requests.get(handle))?.status ?? 'expired';
  const outcome = status === 'claimed' || status === 'redeemed' ? 'approved' : status;
  return { handle, outcome, title: bindingMessage ?? clientName };
}

function promptOf(request: RequestView): object {
  const { handle, clientId, clientName, scope, bindingMessage, authorizationDetails } = request;
  return {
    handle,
    client: clientName ?? clientId,
    scopes: scope.split(' '),
    bindingMessage,
    details: authorizationDetails,
    numberMatching: request.numberMatching,
    expiresIn: request.expiresIn,
  };
}
