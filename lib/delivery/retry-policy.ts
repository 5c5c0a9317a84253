import type { Answer } from './outgoing.js';

/** What an answer to a notification means for it. */
export type Verdict = 'delivered' | 'again' | 'final';

/** Statuses, from and to; what is not listed is final. A redirect is: it is never followed (CIBA Core 10.2, 10.3.1). */
const VERDICTS: readonly (readonly [from: number, to: number, verdict: Verdict])[] = [
  [200, 299, 'delivered'],
  [408, 408, 'again'], // Request Timeout
  [425, 425, 'again'], // Too Early
  [429, 429, 'again'], // Too Many Requests
  [500, 599, 'again'],
];

/** Seconds to wait after the first attempt, the second, and so on; after the last one listed it stays. */
const WAITS = [1, 2, 4, 8, 15, 30] as const;

/** How long a `Retry-After` can make a wait, in seconds: more would outlast most requests. */
const LONGEST_ASKED = 60;

/** How far a wait is moved at random to either side, so that notifications that failed together do not come back together. */
const JITTER = 0.2;

/** Whether a notification has arrived, is worth another attempt, or is given up. */
export function judge(answer: Answer): Verdict {
  if (answer.kind === 'failed') return 'again';
  if (answer.kind === 'refused') return 'final';
  const { status } = answer;
  return VERDICTS.find(([from, to]) => from <= status && status <= to)?.[2] ?? 'final';
}

/**
 * Milliseconds to wait after attempt number `attempt`, the first being 1. It is no shorter than a
 * `Retry-After` asks for, up to a minute (RFC 6585 4, RFC 9110 10.2.3).
 */
export function delayBefore(attempt: number, answer?: Answer, random: () => number = Math.random): number {
  const wait = WAITS[Math.min(Math.max(attempt, 1), WAITS.length) - 1] ?? 0;
  const least = jittered(wait * 1000, random);
  const asked = answer?.kind === 'answered' ? Math.min(answer.retryAfter ?? 0, LONGEST_ASKED) * 1000 : 0;
  return Math.round(Math.max(asked * (1 + JITTER * random()), least));
}

/** A wait, moved at random. */
export function jittered(milliseconds: number, random: () => number = Math.random): number {
  return milliseconds * (1 - JITTER + 2 * JITTER * random());
}
