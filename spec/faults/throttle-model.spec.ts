import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { rounds as inParallel } from '../races/processes.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { FaultNode, isUnknown, patiently } from './node.js';
import { randomFrom } from './workload.js';

/**
 * Many clients poll two nodes, whose clocks are apart, at moments drawn at random: in time, too early, and several at once. What each is told is
 * what a model of the rule says: the first poll is free, the next one is due after the interval, one that comes sooner adds five seconds
 * to it. Each poll is put between two looks at Redis' clock, so that the model knows when it came.
 */

const CLIENTS = rounds(40, 1_000);
const POLLS = rounds(10, 20);

/** As the server's defaults and CIBA Core have it, in milliseconds. */
const [INTERVAL, STEP, LEEWAY] = [5_000, 5_000, 500];

/** Enough of the longest interval that a drawn wait can be in time. */
const WAITS = [0, 0, 1_000, 4_000, 4_600, 5_000, 6_000, 10_000, 15_000, 30_000, 60_000];

const seed = Math.floor(Math.random() * 2 ** 32);

/** What a client that has followed the rule so far knows: the next poll is due between two moments. */
interface Model {
  readonly authReqId: string;
  interval: number;
  due: readonly [soonest: number, latest: number] | undefined;
}

interface Tally {
  pending: number;
  slowDown: number;
  /** Those that came so near to the moment that either is right. */
  either: number;
  /** Clients that were told that it is not known. */
  unknown: number;
  readonly wrong: string[];
}

let redis: TestRedis;
let client: Redis;
let nodes: FaultNode[] = [];

beforeAll(async () => {
  redis = await startRedis();
  client = redis.client();
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.kill()));
});
afterAll(() => redis.stop());

async function storeTime(): Promise<number> {
  const [seconds, micros] = await client.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** Polls so often at once, on both nodes, and holds what they are told to the model. */
async function pollAtOnce(model: Model, many: number, offset: number, tally: Tally): Promise<boolean> {
  const earliest = (await storeTime()) + offset;
  const replies = await Promise.all(
    Array.from({ length: many }, (_, at) => (nodes[at % nodes.length] as FaultNode).poll(model.authReqId)),
  );
  const latest = (await storeTime()) + offset;
  // Then nobody knows whether they were counted, and the model has nothing to say of this client any more.
  if (replies.some(isUnknown)) {
    tally.unknown += 1;
    return false;
  }
  const told = replies.map(({ body }) => body['error']);
  const inTime = told.filter((error) => error === 'authorization_pending').length;
  const early = told.filter((error) => error === 'slow_down').length;
  if (inTime + early !== many) tally.wrong.push(`told ${told.join(', ')}`);
  // Of several at once the one that comes first may be in time, and no other.
  const [soonest, last] = model.due ?? [0, 0];
  const [mayBeInTime, mayBeEarly] = [latest + LEEWAY >= soonest, earliest + LEEWAY < last];
  if (mayBeInTime && mayBeEarly) tally.either += 1;
  else if (inTime !== (mayBeInTime ? 1 : 0)) {
    const lag = `${earliest - last} to ${latest - soonest} ms after it was due`;
    tally.wrong.push(`${inTime} of ${many} in time, which came ${lag}`);
  }
  if (inTime > 1) tally.wrong.push(`${inTime} of ${many} at once were in time`);
  tally.pending += inTime;
  tally.slowDown += early;
  model.interval += early * STEP;
  model.due = [earliest + model.interval, latest + model.interval];
  // What it is told to wait is the interval, in the order in which they were counted.
  const waits = replies.map(({ retryAfter }) => Number(retryAfter) * 1_000);
  if (Math.max(...waits) !== model.interval) {
    tally.wrong.push(`told to wait ${waits.join(', ')} ms where the interval is ${model.interval}`);
  }
  return true;
}

async function run(mode: 'plugin' | 'plain', clients: number, polls: number): Promise<Tally> {
  nodes = await Promise.all([-120_000, 120_000].map((skew) => FaultNode.start(redis.url, { mode, skew })));
  const random = randomFrom(seed);
  const models: Model[] = await inParallel(clients, async (index) => ({
    authReqId: await (nodes[index % 2] as FaultNode).asked({
      login_hint: `person-${index}`,
      requested_expiry: '600',
    }),
    interval: INTERVAL,
    due: undefined,
  }));
  const tally: Tally = { pending: 0, slowDown: 0, either: 0, unknown: 0, wrong: [] };
  const left = new Map(models.map((model) => [model, polls]));
  let offset = 0;
  for (let lap = 0; lap < 600 && left.size > 0 && offset < 540_000; lap += 1) {
    offset += WAITS[Math.floor(random() * WAITS.length)] as number;
    await Promise.all(nodes.map((node) => node.moveClock(offset)));
    const drawn = [...left.keys()].filter(() => random() < 0.5);
    const many = drawn.map(() => (random() < 0.15 ? 2 + Math.floor(random() * 3) : 1));
    await inParallel(drawn.length, async (at) => {
      const model = drawn[at] as Model;
      const known = await pollAtOnce(model, many[at] as number, offset, tally);
      const more = (left.get(model) ?? 0) - (many[at] as number);
      if (known && more > 0) left.set(model, more);
      else left.delete(model);
    });
  }
  // A decision ends it: however early, the next poll is told the outcome.
  if (mode === 'plugin') {
    await inParallel(models.length, async (at) => {
      const { authReqId } = models[at] as Model;
      await patiently(() => (nodes[at % 2] as FaultNode).decide(authReqId, 'deny'));
      const { body } = await patiently(() => (nodes[(at + 1) % 2] as FaultNode).poll(authReqId));
      if (body['error'] !== 'access_denied') tally.wrong.push(`told ${body['error']} after the decision`);
    });
  }
  return tally;
}

test(`[F22, F23, T17] ${CLIENTS} clients × ${POLLS} polls on two nodes whose clocks are four minutes apart: what the model says [POLL-1, POLL-2, POLL-3, POLL-5]`, async () => {
  const { wrong, pending, slowDown, either, unknown } = await run('plugin', CLIENTS, POLLS);
  process.stdout.write(
    `seed ${seed}: ${pending} in time, ${slowDown} too early, ${either} of them within a moment; ${wrong.length} wrong\n`,
  );
  expect({ seed, wrong: wrong.slice(0, 10) }).toEqual({ seed, wrong: [] });
  expect(pending).toBeGreaterThan(CLIENTS);
  expect(slowDown).toBeGreaterThan(CLIENTS);
  expect(unknown).toBeLessThanOrEqual(CLIENTS / 10);
  expect(either).toBeLessThan((pending + slowDown) / 2);
}, 1_200_000);

test('[F22] the control, bare oidc-provider, has no interval, and does not pass', async () => {
  const { wrong, slowDown } = await run('plain', 6, 4);
  expect(slowDown).toBe(0);
  expect(wrong.length).toBeGreaterThan(0);
}, 120_000);
