import { setTimeout as pause } from 'node:timers/promises';
import type { Found } from '../figures.js';
import { INTERVAL } from '../population.js';
import { redisInfo } from '../redis-info.js';
import { Rounds, turnOf } from '../rounds.js';
import { pollAll, seedPlugin } from '../seed.js';
import type { PopulationFigure, Sizes } from '../sizes.js';
import type { Server, Stage } from '../stage.js';

/** Polls of a burst: each request of the smallest number has one. */
const BURST = 1_000;

const CONNECTIONS = 32;

/**
 * Whether polls are as fast however many requests are pending, and what one takes in Redis. Each number has a Redis and a server of its own.
 * They are polled a thousand at a time, and then left alone until the interval is over, so that no poll comes too early.
 */
export async function manyPending(stage: Stage, { populations, bursts }: Sizes): Promise<Found> {
  const places = new Map<PopulationFigure, Place>();
  let memory = Number.NaN;
  for (const { pending, figure } of populations) {
    const its = await stage.anotherRedis();
    const redis = its.client();
    const server = await stage.start('accelerated', { redisPort: its.port });
    const seeding = { kind: 'secret', redis, server } as const;
    // What is there once, however many are pending, is no request's.
    await seedPlugin(stage, { ...seeding, count: 1 });
    const before = await redisInfo(redis, 'memory', 'used_memory');
    await seedPlugin(stage, { ...seeding, count: pending });
    await pollAll('secret', pending, redis);
    memory = ((await redisInfo(redis, 'memory', 'used_memory')) - before) / pending;
    places.set(figure, { server, pending, turn: 0, ended: performance.now() });
  }
  const figures = [...places.keys()];
  const measured = await Rounds.run(figures, bursts, async (figure) => {
    const place = places.get(figure) as Place;
    await pause(Math.max(0, place.ended + INTERVAL * 1_000 - performance.now()));
    const { server, pending, turn } = place;
    const task = {
      port: server.port,
      kind: 'secret',
      pending,
      turn,
      turns: BURST,
      connections: CONNECTIONS,
    } as const;
    const done = await turnOf(place.server, () => stage.load.call('polls', task));
    place.ended = performance.now();
    place.turn = (turn + done.count) % pending;
    return done;
  });
  return {
    ...Object.fromEntries(figures.map((figure) => [figure, measured.perSecond(figure)])),
    ...(places.has('pollsAt1000000') && { pollsAtMost: measured.ratio('pollsAt1000000', 'pollsAt1000') }),
    memory,
  };
}

interface Place {
  readonly server: Server;
  readonly pending: number;
  turn: number;
  /** When it was polled last. */
  ended: number;
}
