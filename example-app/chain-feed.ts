import type { ChannelView, Ciba, CibaEventName } from 'oidc-provider-ciba';
import type { LiveStream } from './live-stream.js';

/** How often to look again: another process on the same Redis may have taken a turn, and its events stay there. */
const RECHECK = 1_000;

const EVENTS = [
  'prompt.sent',
  'prompt.failed',
  'prompt.dismissed',
  'prompt.left',
] as const satisfies CibaEventName[];

/** What nothing comes after. */
const LAST: readonly ChannelView['state'][] = ['failed', 'dismissed', 'left'];

/** Keeps a page informed of how the person of a request is reached: `reach` with its channels whenever one has come further. */
export function feedChain(ciba: Ciba, handle: string, stream: LiveStream): void {
  if (stream.over.aborted) return;
  let last = '';

  const look = async (): Promise<void> => {
    const channels = (await ciba.prompts.get(handle))?.channels ?? [];
    const pending = (await ciba.requests.get(handle))?.status === 'pending';
    // A channel that was not begun when the request ended never will be.
    const over = !pending && channels.every(({ state }) => state === 'waiting' || LAST.includes(state));
    const reach = { channels: channels.map(shown), over };
    if (JSON.stringify(reach) === last || stream.over.aborted) return;
    last = JSON.stringify(reach);
    stream.send('reach', reach);
  };
  // Where the store does not answer the next look may.
  const check = (): void => void look().catch(() => {});

  const unsubscribe = EVENTS.map((name) =>
    ciba.on(name, (event) => {
      if (event.handle === handle) check();
    }),
  );
  const timer = setInterval(check, RECHECK);
  stream.over.addEventListener('abort', () => {
    clearInterval(timer);
    for (const stop of unsubscribe) stop();
  });
  check();
}

function shown({ channel, step, state, attempts, last }: ChannelView): object {
  return { channel, step, state, attempts, reason: last };
}
