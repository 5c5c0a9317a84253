import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Found } from '../figures.js';
import { redisInfo } from '../redis-info.js';
import { seedPlugin } from '../seed.js';
import type { Stage } from '../stage.js';

/** Polls that are counted at a time. */
const POLLS = 1_000;

/** How long flows are counted, in milliseconds. */
const FLOWS_FOR = 1_000;

const CONNECTIONS = 16;

/** Until MONITOR has told all, in milliseconds. */
const SETTLES = 300;

/** What a pending poll and a whole flow ask of Redis. */
export async function roundTrips(stage: Stage): Promise<Found> {
  const { port, ...server } = await stage.start('accelerated');
  const redis = stage.redis.client();
  // The polls of the first third let the server know the clients.
  const pending = 3 * POLLS;
  await seedPlugin(stage, { kind: 'secret', count: pending, redis, server: { port, ...server } });
  const poll = (turn: number): Promise<{ readonly count: number }> =>
    stage.load.call('polls', { port, kind: 'secret', pending, turn, turns: POLLS, connections: CONNECTIONS });
  let person = pending + 1;
  const flow = async (): Promise<{ readonly count: number }> => {
    const task = { port, person, connections: CONNECTIONS, milliseconds: FLOWS_FOR };
    const { count } = await stage.load.call('flows', task);
    person += count;
    return { count };
  };
  await poll(0);
  await flow();
  const [polled, flowed] = [await costOf(redis, () => poll(POLLS)), await costOf(redis, flow)];
  return {
    roundTrips: await commandsOf(redis, () => poll(2 * POLLS)),
    redisPollCpu: polled.cpu,
    bytesIn: polled.bytesIn,
    bytesOut: polled.bytesOut,
    flowRoundTrips: await commandsOf(redis, flow),
    redisFlowCpu: flowed.cpu,
  };
}

type Counted = () => Promise<{ readonly count: number }>;

/** Commands, less those that a script runs within Redis. */
async function commandsOf(redis: Redis, work: Counted): Promise<number> {
  let commands = 0;
  const monitor = await redis.monitor();
  monitor.on('monitor', (_time: string, _command: string[], source: string) => {
    if (source !== 'lua') commands += 1;
  });
  const { count } = await work();
  await pause(SETTLES);
  monitor.disconnect();
  return commands / count;
}

/** Bytes both ways, and Redis' processor time in microseconds. */
async function costOf(
  redis: Redis,
  work: Counted,
): Promise<{ readonly bytesIn: number; readonly bytesOut: number; readonly cpu: number }> {
  const costs = async (): Promise<readonly number[]> => [
    await redisInfo(redis, 'stats', 'total_net_input_bytes'),
    await redisInfo(redis, 'stats', 'total_net_output_bytes'),
    await redisInfo(redis, 'cpu', 'used_cpu_user'),
    await redisInfo(redis, 'cpu', 'used_cpu_sys'),
  ];
  const before = await costs();
  const { count } = await work();
  const [bytesIn = 0, bytesOut = 0, user = 0, system = 0] = (await costs()).map(
    (cost, index) => (cost - (before[index] ?? 0)) / count,
  );
  return { bytesIn, bytesOut, cpu: 1_000_000 * (user + system) };
}
