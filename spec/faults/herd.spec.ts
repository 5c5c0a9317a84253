import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import { FaultNode, type Reply } from './node.js';

/** Thousands of polls that one node holds are woken at once. All are answered, and somebody who comes meanwhile is as well. */

const HERD = rounds(100, 5_000);

/** How many do something at a time before the herd is there. */
const AT_A_TIME = 10;

const LIFE = 300;

let redis: TestRedis;
let holder: FaultNode;
let other: FaultNode;

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  [holder, other] = await Promise.all([FaultNode.start(redis.url), FaultNode.start(redis.url)]);
});
afterEach(() => Promise.all([holder.kill(), other.kill()]));
afterAll(() => redis.stop());

async function each<T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let at = 0; at < count; at += AT_A_TIME) {
    const some = Array.from({ length: Math.min(AT_A_TIME, count - at) }, (_, index) => one(at + index));
    all.push(...(await Promise.all(some)));
  }
  return all;
}

type Came = Reply | 'lost';

/** Requests whose polls are held by one node, and their answers. */
async function gather(): Promise<{ ids: string[]; answers: Promise<Came>[] }> {
  const asking = { requested_expiry: String(LIFE) };
  const ids = await each(HERD, (index) => other.asked({ ...asking, login_hint: `person-${index}` }));
  const before = (await holder.loop()).held;
  const answers: Promise<Came>[] = [];
  // One that a busy machine has not let in is answered at once, and not held.
  let answered = 0;
  const counted = (came: Came): Came => {
    answered += 1;
    return came;
  };
  for (let at = 0; at < HERD; at += AT_A_TIME) {
    for (const id of ids.slice(at, at + AT_A_TIME)) {
      answers.push(
        holder
          .poll(id, { wait: 30 })
          .catch(() => 'lost' as const)
          .then(counted),
      );
    }
    const wanted = before + answers.length;
    await until('they are held', async () => (await holder.loop()).held + answered >= wanted);
  }
  return { ids, answers };
}

/** Asks the node the time again and again until the herd is answered: how long that took at most, and how often it was told. */
async function meanwhile(answers: readonly Promise<Came>[]): Promise<{ longest: number; told: number }> {
  let over = false;
  let [longest, told] = [0, 0];
  const herd = Promise.all(answers).then(() => {
    over = true;
  });
  while (!over) {
    const began = performance.now();
    await holder.time();
    longest = Math.max(longest, performance.now() - began);
    told += 1;
  }
  await herd;
  return { longest, told };
}

async function report(what: string, { longest, told }: { longest: number; told: number }): Promise<void> {
  const { p99, max, rss } = await holder.loop();
  const figures = `the loop waited ${Math.round(p99)} ms (p99), ${Math.round(max)} ms at most, ${Math.round(rss / 2 ** 20)} MB`;
  process.stdout.write(
    `${HERD} held polls ${what}: ${figures}; ${told} others were answered meanwhile, after ${Math.round(longest)} ms at most\n`,
  );
}

const error = (came: Came): string =>
  came === 'lost' ? 'lost' : (came.body['error'] ?? String(came.status));

test(`[F39, T13] ${HERD} held polls whose requests end in one moment: all hear it, and the node answers others meanwhile`, async () => {
  const { ids, answers } = await gather();
  await holder.loop();
  await Promise.all([holder, other].map((node) => node.moveClock(LIFE * 1_000)));
  const others = await meanwhile(answers);
  await report('ended at once', others);
  const told = (await Promise.all(answers)).map(error);
  // What a busy machine has let go before by its own time is told when it comes again.
  expect(
    told.filter((each) => !/^(expired_token|authorization_pending|temporarily_unavailable)$/.test(each)),
  ).toEqual([]);
  expect(told).toContain('expired_token');
  expect(others.told).toBeGreaterThan(0);
  await Promise.all([holder, other].map((node) => node.moveClock(LIFE * 1_000)));
  const again = await each(ids.length, async (index) => {
    return (
      told[index] === 'expired_token' || error(await settled(other, ids[index] as string)) === 'expired_token'
    );
  });
  expect(again.filter((right) => !right)).toEqual([]);
}, 1_200_000);

/** Polls until it is told what is final. */
async function settled(node: FaultNode, id: string): Promise<Reply> {
  let reply = await node.poll(id);
  for (
    let again = 0;
    again < 50 && /^(503|slow_down)$/.test(reply.status === 503 ? '503' : error(reply));
    again += 1
  ) {
    reply = await node.poll(id);
  }
  return reply;
}

test(`[F39, T13] ${HERD} held polls whose people decide as fast as they can: each client has its tokens, none twice`, async () => {
  const { ids, answers } = await gather();
  await holder.loop();
  const deciding = each(HERD, async (index) => {
    let reply = await other.decide(ids[index] as string, 'allow');
    for (let again = 0; again < 20 && reply.status === 503; again += 1) {
      reply = await other.decide(ids[index] as string, 'allow');
    }
  });
  const others = await meanwhile(answers);
  await deciding;
  await report('decided', others);
  const first = await Promise.all(answers);
  expect(first.filter((came) => came === 'lost')).toEqual([]);
  const late = await each(HERD, async (index) => {
    const came = first[index] as Reply;
    return came.status === 200 ? came : settled(other, ids[index] as string);
  });
  expect(late.filter(({ status }) => status !== 200).map(({ body }) => body)).toEqual([]);
  const tokens = new Set(late.map(({ body }) => body['access_token']));
  expect(tokens.size).toBe(HERD);
  process.stdout.write(
    `${first.filter((came) => came !== 'lost' && came.status === 200).length} of them by the poll that was held\n`,
  );
}, 1_200_000);

test(`[F37, F43, T13] ${HERD} held polls when the node is asked to end: all are answered, and it is gone in time`, async () => {
  const { answers } = await gather();
  const { code, took } = await holder.terminate();
  const told = new Set((await Promise.all(answers)).map(error));
  process.stdout.write(`${HERD} held polls: the node had ended after ${Math.round(took)} ms\n`);
  expect([...told].filter((each) => !/^(authorization_pending|temporarily_unavailable)$/.test(each))).toEqual(
    [],
  );
  expect(told).toContain('authorization_pending');
  expect(code).toBe(0);
}, 1_200_000);
