import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again until the answer is yes; what fails meanwhile is a no. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, within = 60_000) {
  const end = performance.now() + within;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await condition()) return;
    } catch (error) {
      last = error;
    }
    await pause(10);
  }
  throw new Error(`gave up waiting until ${what}`, { cause: last });
}
