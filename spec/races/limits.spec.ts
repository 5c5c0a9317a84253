import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { ServerProcess } from './processes.js';
import { RACERS } from './race-configuration.js';

/** How many requests of one person may be pending, and how many of those one client may have made. */
const [CAP, CAP_OF_CLIENT] = [10, 5];

const REQUESTS = 100;

/** A request that somebody has yet to prompt for is due within this time, one that waits for a decision is not. In milliseconds. */
const SOON = 10_000;

let redis: TestRedis;
const started: ServerProcess[] = [];

async function twoProcesses(mode: 'plugin' | 'plain'): Promise<ServerProcess[]> {
  const pair = await Promise.all(
    [0, 1].map(() => ServerProcess.start(mode, redis.url, { LIMITS: 'default' })),
  );
  started.push(...pair);
  return pair;
}

/** So many requests at once for one person, from these clients, on both processes. */
async function flood(pair: readonly ServerProcess[], clients = RACERS) {
  const everyone = pair.flatMap((process) => clients.map((client) => ({ process, client })));
  const answers = await Promise.all(
    Array.from({ length: Math.ceil(REQUESTS / everyone.length) }, () => everyone)
      .flat()
      .slice(0, REQUESTS)
      .map(async ({ process, client }) => ({ client, ...(await process.askAs(client)) })),
  );
  return {
    accepted: answers.filter(({ status }) => status === 200),
    refused: answers.filter(({ status }) => status !== 200),
  };
}

/** How many prompts the person has got, once there are so many, and nobody has begun another one. */
async function prompts(pair: readonly ServerProcess[], expected: number): Promise<number> {
  const count = async (): Promise<number> => {
    const counts = await Promise.all(pair.map((process) => process.prompted()));
    return counts.reduce((sum, each) => sum + each, 0);
  };
  await until('the person was prompted', async () => (await count()) >= expected);
  await until('every request waits for its next turn', async () => {
    const soon = await redis.client().zcount('ciba:prompts', '-inf', Date.now() + SOON);
    return soon === 0;
  });
  return count();
}

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  await Promise.all(started.map((child) => child.stop()));
  await redis.stop();
});

describe('100 requests at once for one person, on two processes [SEC-1] [SEC-14]', () => {
  test('exactly as many are accepted as there may be, and the person is prompted as often', async () => {
    const pair = await twoProcesses('plugin');
    const { accepted, refused } = await flood(pair);
    expect(accepted.length).toBe(CAP);
    expect(await prompts(pair, CAP)).toBe(CAP);
    expect(refused.map(({ status, body }) => `${status} ${body['error']}`)).toEqual(
      Array(REQUESTS - CAP).fill('403 access_denied'),
    );
    for (const racer of RACERS) {
      expect(accepted.filter(({ client }) => client === racer).length).toBeLessThanOrEqual(CAP_OF_CLIENT);
    }

    // Each that ends makes room for one, whoever comes.
    for (const { body } of accepted.slice(0, 4)) await pair[0]?.decide(String(body['auth_req_id']), 'allow');
    const again = await flood(pair);
    expect(again.accepted.length).toBe(4);
    expect(await prompts(pair, CAP + 4)).toBe(CAP + 4);
  });

  test('of one client, exactly as many as one may have', async () => {
    await redis.client().flushall();
    const pair = await twoProcesses('plugin');
    const { accepted } = await flood(pair, RACERS.slice(0, 1));
    expect(accepted.length).toBe(CAP_OF_CLIENT);
    expect(await prompts(pair, CAP_OF_CLIENT)).toBe(CAP_OF_CLIENT);
  });

  test('the control, bare oidc-provider, accepts all', async () => {
    const { accepted } = await flood(await twoProcesses('plain'));
    expect(accepted.length).toBe(REQUESTS);
  });
});
