import { until } from '../../spec/support/until.js';
import type { Found } from '../figures.js';
import { seedPlugin } from '../seed.js';
import type { Sizes } from '../sizes.js';
import type { Server, Stage } from '../stage.js';

/** Approvals under way at a time. */
const CONNECTIONS = 16;

/** Until all polls are held, in milliseconds. */
const ALL_HELD_WITHIN = 25_000;

const MEGABYTE = 1_000_000;

/**
 * What it takes to hold many polls: the memory of the server's process, beside that of an Express handler that does nothing but hold them.
 * Then every person says yes at another process, and every client must get its tokens.
 */
export async function heldPolls(stage: Stage, { held: count }: Sizes): Promise<Found> {
  const { load, redis } = stage;
  const bare = await stage.start('holding');
  const heldBare = await memoryHolding(stage, bare, count);
  await load.call('letGo');

  const plugin = await stage.start('plugin', { longPolling: true });
  const other = await stage.start('plugin', { longPolling: true });
  await seedPlugin(stage, { kind: 'secret', count, redis: redis.client(), server: other });
  const heldPlugin = await memoryHolding(stage, plugin, count);
  const { milliseconds, lost, disturbed } = await load.call('decide', {
    port: other.port,
    connections: CONNECTIONS,
  });
  await load.call('letGo');
  if (lost.length > 0) console.error(`clients without tokens got: ${[...new Set(lost)].join(', ')}`);
  return {
    heldCount: count,
    heldBare: heldBare / MEGABYTE,
    heldPlugin: heldPlugin / MEGABYTE,
    heldToBare: heldPlugin / heldBare,
    heldDisturbed: disturbed,
    heldLost: lost.length,
    heldDecided: milliseconds / 1_000,
  };
}

async function memoryHolding({ load }: Stage, { port, process }: Server, count: number): Promise<number> {
  await load.call('hold', { port, count });
  const all = async (): Promise<boolean> => (await process.call('held')) >= count;
  await until('all polls are held', all, ALL_HELD_WITHIN);
  return process.call('residentMemory');
}
