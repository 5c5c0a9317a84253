import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { storablePayload } from '../../lib/request/payload.js';
import { RedisStore } from '../../lib/store/redis.js';
import { movingClock } from '../support/clock.js';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { ask, CLIENT, claim, decide, INTERVAL, poll } from './contract/given.js';

/** What a request takes in Redis at most, an index of its account with nothing else in it included. */
const BYTES_PER_REQUEST = 1_024;
const BYTES_PER_POLLED_REQUEST = 1_280;

const clock = movingClock();
let server: TestRedis;
let proxy: CutProxy;
let direct: Redis;
let store: RedisStore;

beforeAll(async () => {
  server = await startRedis();
  proxy = await startCutProxy(server.port);
  direct = server.client();
  const through = server.client({ port: proxy.port, lazyConnect: true });
  store = new RedisStore(through, 'ciba', clock.offset, () => {});
  await store.read('ready');
});
afterAll(async () => {
  await store.close();
  await proxy.close();
  await server.stop();
});

/** The names of the commands that go to the server for a call. */
async function sentFor(call: () => Promise<unknown>): Promise<(string | undefined)[]> {
  const before = proxy.commands.length;
  await call();
  return proxy.commands.slice(before).map(([name]) => name?.toLowerCase());
}

test('a poll is one command and one round trip, whatever it finds', async () => {
  const request = await ask(store);
  await poll(store, request.handle);
  const once = () => sentFor(() => poll(store, request.handle));
  clock.advance(INTERVAL);
  expect(await once()).toEqual(['evalsha']);
  expect(await once()).toEqual(['evalsha']);
  await decide(store, request, 'approved');
  expect(await once()).toEqual(['evalsha']);
  clock.advance(request.lifetime + request.retention);
  expect(await once()).toEqual(['evalsha']);
});

test('the server counts as many scripts as there were polls', async () => {
  const { handle } = await ask(store);
  await poll(store, handle);
  await direct.config('RESETSTAT');
  for (let polls = 0; polls < 100; polls += 1) await poll(store, handle);
  const stats = await direct.info('commandstats');
  expect(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]).toBe('100');
  expect(stats).not.toMatch(/cmdstat_eval:/);
});

test('every other step is one command, but for those that touch the account as well', async () => {
  const request = await ask(store);
  const { handle, accountId } = request;
  const warm = await ask(store);
  await decide(store, warm, 'approved');
  for (const token of ['t', 'u']) {
    await claim(store, warm.handle, token);
    await store.release(warm.handle, token);
  }
  await store.settle(warm.handle, 't');
  expect(await sentFor(() => store.read(handle))).toEqual(['evalsha']);
  expect(await sentFor(() => ask(store, { accountId }))).toEqual(['evalsha', 'evalsha']);
  expect(await sentFor(() => store.list(accountId))).toEqual(['zrange', 'evalsha', 'evalsha']);
  expect(await sentFor(() => decide(store, request, 'approved'))).toEqual(['evalsha', 'zrem']);
  expect(await sentFor(() => claim(store, handle, 't'))).toEqual(['evalsha']);
  expect(await sentFor(() => store.release(handle, 't'))).toEqual(['evalsha']);
  expect(await sentFor(() => claim(store, handle, 't'))).toEqual(['evalsha']);
  expect(await sentFor(() => store.settle(handle, 't'))).toEqual(['evalsha']);
});

test.each([
  ['waits for its first poll', false, BYTES_PER_REQUEST],
  ['has been polled', true, BYTES_PER_POLLED_REQUEST],
])(
  'a pending request that %s takes a known number of bytes, the index of its account included',
  async (_, polled, most) => {
    await direct.flushall();
    const requests = 100;
    for (let left = requests; left > 0; left -= 1) {
      const [handle, accountId] = [randomUUID().slice(0, 22), randomUUID()];
      await ask(store, { handle, accountId, clientId: CLIENT, payload: typicalPayload(accountId) });
      if (polled) await poll(store, handle);
    }
    const keys = await direct.keys('*');
    expect(keys).toHaveLength(requests * 2);
    const sizes = await Promise.all(keys.map((key) => direct.memory('USAGE', key, 'SAMPLES', 0)));
    const bytes = sizes.reduce<number>((sum, size) => sum + Number(size), 0);
    expect(bytes / requests).toBeLessThanOrEqual(most);
    expect(bytes / requests).toBeGreaterThan(most / 2);
  },
);

/** What the plugin stores of a request with a binding message. */
function typicalPayload(accountId: string): string {
  const clientId = CLIENT;
  const scope = 'openid profile payments';
  const model = {
    iat: 1_800_000_000,
    exp: 1_800_000_120,
    jti: 'x'.repeat(43),
    kind: 'BackchannelAuthenticationRequest',
    accountId,
    clientId,
    claims: {},
    scope,
    params: {
      client_id: clientId,
      scope,
      login_hint: 'alice@example.com',
      binding_message: 'Order 4711: 12,50 EUR',
    },
  };
  return JSON.stringify(storablePayload(model, 'The corner shop'));
}
