import { randomUUID } from 'node:crypto';
import { setImmediate as aTurn } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisStore } from '../../lib/store/redis.js';
import type { RedisClient } from '../../lib/store/redis-connection.js';
import { ask, claim, decide, poll } from '../store/contract/given.js';
import { patiently } from '../support/patiently.js';
import { startCluster, startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';

const REQUESTS = rounds(800, 20_000);

let server: TestRedis;
let admin: Redis;
let warnings: string[];

beforeAll(async () => {
  server = await startRedis();
  admin = server.client();
});
beforeEach(() => {
  warnings = [];
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => server.stop());

const openStore = (client: RedisClient = server.client({ lazyConnect: true })): RedisStore =>
  new RedisStore(
    client,
    randomUUID(),
    () => 0,
    () => {},
  );

/** Uses a store: what its server says of itself comes before the answer. */
async function used(store: RedisStore): Promise<void> {
  await store.read('nothing');
  await aTurn();
  await store.read('nothing');
  await store.close();
}

test.each(['allkeys-lru', 'volatile-ttl', 'volatile-lfu'])(
  'F21 a server with the policy %s is warned of, once',
  async (policy) => {
    await admin.config('SET', 'maxmemory-policy', policy);
    await used(openStore());
    expect(warnings).toEqual([expect.stringContaining(`maxmemory-policy ${policy}`)]);
  },
);

test('F21 nothing is said of noeviction', async () => {
  await admin.config('SET', 'maxmemory-policy', 'noeviction');
  await used(openStore());
  expect(warnings).toEqual([]);
});

test('F21 a server that refuses to be asked is taken as it is', async () => {
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await admin.call('ACL', 'SETUSER', 'op', 'on', '>secret', '~*', '&*', '+@all', '-info');
  const store = openStore(
    server.client({ lazyConnect: true, username: 'op', password: 'secret', enableReadyCheck: false }),
  );
  const request = await ask(store);
  expect(await poll(store, request.handle)).toMatchObject({ result: 'pending' });
  await store.close();
  await aTurn();
  expect(warnings).toEqual([]);
});

test('F21 one warning for a cluster of which one node evicts', async () => {
  const group = await startCluster();
  try {
    await group.nodes[1]?.client().config('SET', 'maxmemory-policy', 'allkeys-random');
    const store = openStore(group.client());
    await patiently(() => store.read('nothing'));
    await until('it was warned of', () => warnings.length > 0);
    await store.close();
    expect(warnings).toEqual([expect.stringContaining('allkeys-random')]);
  } finally {
    await group.stop();
  }
});

test(`F21 ${REQUESTS} requests in a memory that evicts: what vanished is unknown, and nobody gets tokens who was not approved`, async () => {
  await admin.flushall();
  await admin.config('SET', 'maxmemory-policy', 'allkeys-random');
  const store = openStore();
  await ask(store);
  const begin = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
  await admin.config('SET', 'maxmemory', String(begin + REQUESTS * 400));
  const approved = new Set<string>();
  const handles: string[] = [];
  for (let made = 0; made < REQUESTS; made += 50) {
    const some = await Promise.all(Array.from({ length: 50 }, () => ask(store)));
    await Promise.all(
      some.map(async (request, index) => {
        handles.push(request.handle);
        if (index % 2 === 0) return;
        const { result } = await decide(store, request, index % 4 === 1 ? 'approved' : 'denied');
        if (result === 'decided' && index % 4 === 1) approved.add(request.handle);
      }),
    );
  }
  const counts = { won: 0, gone: 0 };
  for (const handle of handles) {
    const { result } = await claim(store, handle);
    if (result === 'won') expect(approved.has(handle)).toBe(true);
    if (result === 'won' || result === 'gone') counts[result] += 1;
  }
  // It did evict, and not everything.
  expect(counts.gone).toBeGreaterThan(0);
  expect(counts.won).toBeGreaterThan(0);
  await admin.config('SET', 'maxmemory', '0');
  await admin.config('SET', 'maxmemory-policy', 'noeviction');
  await store.close();
});
