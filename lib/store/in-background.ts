/** How often, and how long apart, what an outage left behind is tried to be put right. */
const TRIES = 30;
const BETWEEN_TRIES = 1_000;

/** Repeats a step until the store takes it, for up to a minute, without keeping the process alive for it. */
export function inBackground(step: () => Promise<unknown>, tries: number = TRIES): void {
  step().catch(() => {
    if (tries > 1) setTimeout(() => inBackground(step, tries - 1), BETWEEN_TRIES).unref();
  });
}
