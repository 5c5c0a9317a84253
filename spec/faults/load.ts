import { CibaError } from '../../lib/errors.js';
import type { PluginServer } from '../support/server.js';
import { asks, decides, errorOf, polls, type Run } from './flow.js';

/** What a load came to. */
export interface Load {
  /** Flows that came to their right end. */
  ended: number;
  /** Answers that were 503. */
  faults: number;
  /** Requests that Redis has lost before anybody decided them. */
  lost: number;
  /** The longest time for which no flow came to its end, in milliseconds. */
  pause: number;
}

/** How many flows are under way at a time. */
const WORKERS = 6;

/** Asks, approves and redeems without a pause while a fault is under way, and until a flow has begun and ended after it. */
export async function underLoad(
  server: PluginServer,
  fault: (load: Load) => Promise<void>,
  { mayLose = false }: { readonly mayLose?: boolean } = {},
): Promise<Load> {
  const load: Load = { ended: 0, faults: 0, lost: 0, pause: 0 };
  let over = false;
  let last = performance.now();
  const work = async (): Promise<void> => {
    for (let more = true; more; ) {
      more = !over;
      const run: Run = { server, faults: 0, alone: false, tokens: 0 };
      if (await goThrough(run, mayLose)) load.ended += 1;
      else load.lost += 1;
      load.faults += run.faults;
      load.pause = Math.max(load.pause, performance.now() - last);
      last = performance.now();
    }
  };
  const workers = Promise.all(Array.from({ length: WORKERS }, work));
  await Promise.race([fault(load), workers]);
  over = true;
  await workers;
  return load;
}

/** One flow. Whether it came to its end: a request that was acknowledged a moment before a failover may be unknown after it. */
async function goThrough(run: Run, mayLose: boolean): Promise<boolean> {
  const id = await asks(run);
  const pending = errorOf(await polls(run, id));
  if (mayLose && pending === 'invalid_grant') return false;
  expect(pending).toBe('authorization_pending');
  try {
    await decides(run, () => run.server.approve(id), 'approved');
  } catch (error) {
    if (mayLose && error instanceof CibaError && error.code === 'not_found') return false;
    throw error;
  }
  expect(errorOf(await polls(run, id))).toBe(200);
  expect(errorOf(await polls(run, id, 'till', true))).toBe('invalid_grant');
  return true;
}
