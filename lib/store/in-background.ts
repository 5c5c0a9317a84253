import { DOUBT } from './lifecycle.js';

/** How long what an outage left behind is tried to be put right, in milliseconds: the last try ends before a redemption is no longer in doubt. */
const TRIED_FOR = DOUBT - 5_000;

/** Between two tries, in milliseconds: so short that most of an outage is spent waiting for the store, which then hears of it first. */
const BETWEEN_TRIES = 250;

/** Repeats a step until the store takes it, for about a minute, without keeping the process alive for it. */
export function inBackground(
  step: () => Promise<unknown>,
  until: number = performance.now() + TRIED_FOR,
): void {
  step().catch(() => {
    if (performance.now() < until) setTimeout(() => inBackground(step, until), BETWEEN_TRIES).unref();
  });
}
