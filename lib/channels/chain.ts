import { delayBefore } from '../delivery/retry-policy.js';
import type { ChainStep, ChannelFailure } from './channel.js';

/**
 * Where one channel stands:
 *
 * | from    | to        | by                                                        |
 * |---------|-----------|-----------------------------------------------------------|
 * | waiting | trying    | the step before it has waited long enough, or failed      |
 * | trying  | sent      | the channel took the prompt                               |
 * | trying  | trying    | it did not, and another try can help                      |
 * | trying  | failed    | it never will, or the tries are used up                   |
 * | sent    | dismissed | the request has ended, and the prompt was taken away      |
 * | sent    | left      | the same, and it could not, or cannot, be taken away      |
 */
export type LegState = 'waiting' | 'trying' | 'sent' | 'failed' | 'dismissed' | 'left';

/** One channel of a chain. Times are in milliseconds since the epoch, by the store's clock. */
export interface Leg {
  readonly channel: string;
  readonly step: number;
  readonly state: LegState;
  /** How often sending was tried. */
  readonly attempts: number;
  /** How often taking away was tried. */
  readonly dismissals: number;
  /** When it is tried next. */
  readonly dueAt: number;
  /** What the last try came to, where it failed. */
  readonly last?: ChannelFailure | undefined;
}

/** How far a chain has come, as it is stored. */
export interface Progress {
  readonly legs: readonly Leg[];
  /** How long each step waits for a decision, in milliseconds. */
  readonly waits: readonly number[];
  /** When each step that has begun did so. */
  readonly began: readonly number[];
}

/** How long a step waits for a decision, in seconds, where the server does not say. */
const WAIT = 20;

/** How often a channel is tried, to send and to take away. */
const ATTEMPTS = 5;

/** A chain that has not begun. */
export function newChain(steps: readonly ChainStep[]): Progress {
  const legs = steps.flatMap(({ channel }, step) =>
    [...new Set([channel].flat())].map((name) => ({
      channel: name,
      step,
      state: 'waiting' as const,
      attempts: 0,
      dismissals: 0,
      dueAt: 0,
    })),
  );
  return { legs, waits: steps.map(({ wait = WAIT }) => wait * 1000), began: [] };
}

/** Begins every step whose time has come. */
export function beginSteps(progress: Progress, now: number): Progress {
  const { waits } = progress;
  const began = [...progress.began];
  while (began.length < waits.length && nextStepAt({ ...progress, began }, now) <= now) began.push(now);
  const legs = progress.legs.map((leg) =>
    leg.state === 'waiting' && leg.step < began.length
      ? { ...leg, state: 'trying' as const, dueAt: now }
      : leg,
  );
  return { legs, waits, began };
}

/** The channels that are to be tried now: to send while the request is pending, to take away once it is not. */
export function dueLegs({ legs }: Progress, now: number, pending: boolean): readonly Leg[] {
  const state = pending ? 'trying' : 'sent';
  return legs.filter((leg) => leg.state === state && leg.dueAt <= now);
}

/** The request has ended: what was sent is to be taken away, at once. */
export function endChain(progress: Progress, now: number): Progress {
  const legs = progress.legs.map((leg) =>
    leg.state === 'sent' && leg.dismissals === 0 ? { ...leg, dueAt: now } : leg,
  );
  return { ...progress, legs };
}

/** What a channel has come to. */
export interface Tried {
  readonly channel: string;
  readonly step: number;
  /** Why it failed; nothing where it did not. */
  readonly failure?: ChannelFailure | undefined;
  /** Whether it has no way to take a prompt away. */
  readonly stays?: boolean | undefined;
}

/** Writes down what the channels that were tried have come to. */
export function conclude(progress: Progress, tried: readonly Tried[], now: number): Progress {
  const legs = progress.legs.map((leg) => {
    const result = tried.find(({ channel, step }) => channel === leg.channel && step === leg.step);
    if (!result) return leg;
    return leg.state === 'trying' ? sent(leg, result, now) : dismissed(leg, result, now);
  });
  return { ...progress, legs };
}

function sent(leg: Leg, { failure }: Tried, now: number): Leg {
  const attempts = leg.attempts + 1;
  if (failure === undefined) return { ...leg, state: 'sent', attempts, last: undefined };
  const again = failure === 'unavailable' && attempts < ATTEMPTS;
  const dueAt = again ? now + delayBefore(attempts) : leg.dueAt;
  return { ...leg, state: again ? 'trying' : 'failed', attempts, dueAt, last: failure };
}

function dismissed(leg: Leg, { failure, stays }: Tried, now: number): Leg {
  if (stays) return { ...leg, state: 'left' };
  const dismissals = leg.dismissals + 1;
  if (failure === undefined) return { ...leg, state: 'dismissed', dismissals, last: undefined };
  const again = failure === 'unavailable' && dismissals < ATTEMPTS;
  const dueAt = again ? now + delayBefore(dismissals) : leg.dueAt;
  return { ...leg, state: again ? 'sent' : 'left', dismissals, dueAt, last: failure };
}

/** When there is something to do next; nothing where there is not. */
export function nextAt(progress: Progress, now: number, pending: boolean): number | undefined {
  const state = pending ? 'trying' : 'sent';
  const times = progress.legs.filter((leg) => leg.state === state).map(({ dueAt }) => dueAt);
  if (pending && progress.began.length < progress.waits.length) times.push(nextStepAt(progress, now));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whether every channel was tried, and none has reached the person nor will. */
export function isUnreachable({ legs }: Progress): boolean {
  return legs.every(({ state }) => state === 'failed');
}

/** The first step begins at once; another when the one before has waited long enough, or each of its channels has failed. */
function nextStepAt({ legs, waits, began }: Progress, now: number): number {
  const before = began.length - 1;
  if (before < 0) return now;
  const failed = legs.filter(({ step }) => step === before).every(({ last }) => last !== undefined);
  return failed ? now : (began[before] ?? now) + (waits[before] ?? 0);
}
