import type { Found } from '../figures.js';
import type { Sizes } from '../sizes.js';
import type { Stage } from '../stage.js';

const CONNECTIONS = 16;

/** How many pings one process delivers in a second: all are due when it begins. */
export async function deliveries(stage: Stage, { pings: count }: Sizes): Promise<Found> {
  const { load } = stage;
  const endpoints = await load.call('endpoints');
  const { port, process } = await stage.start('plugin', { endpoints, worker: false });
  await load.call('makePings', { port, person: 0, count, connections: CONNECTIONS });
  const began = performance.now();
  await process.call('work');
  await load.call('pingsArrive');
  return { deliveries: (1_000 * count) / (performance.now() - began) };
}
