import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Client } from 'oidc-provider';
import type { Hold } from '../request/polls.js';
import type { Settings } from '../settings/settings.js';

/** Client metadata: how long this client's polls are held, in seconds. */
export const LONG_POLLING = 'ciba_long_polling';

/** The longest that a poll is held, in seconds (CIBA Core 10.1). */
export const LONGEST_WAIT = 30;

/** How long the polls of a client are held that does not say so itself, in seconds. */
export function waitOf(client: Client | undefined, { longPolling }: Settings): number {
  return (client?.[LONG_POLLING] as number | undefined) ?? longPolling?.wait ?? 0;
}

/** Whether a poll is held, and for how long: what the request itself prefers goes first (RFC 7240 4.3). */
export function holdOf(
  { prefer }: IncomingHttpHeaders,
  wait: number,
  res: ServerResponse,
  { longPolling }: Settings,
): Hold | undefined {
  // An answer that stands behind another one on its connection has no socket yet, and would not hear that the client has gone.
  if (!longPolling || res.socket === null) return undefined;
  const [, preferred] = /(?:^|,)\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:[,;]|$)/i.exec(String(prefer ?? '')) ?? [];
  const seconds = Math.min(preferred === undefined ? wait : Number(preferred), LONGEST_WAIT);
  return seconds === 0 ? undefined : { milliseconds: seconds * 1000, client: res };
}
