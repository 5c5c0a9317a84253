import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { storablePayload } from '../../lib/request/payload.js';
import { newOperation } from '../../lib/store/operation.js';
import { RedisStore } from '../../lib/store/redis.js';
import { movingClock } from '../support/clock.js';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.js';
import { loadScripts } from '../support/load-scripts.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { ask, CALLBACK, claim, decide, ending, INTERVAL, newRequest, poll } from './contract/given.js';

/** What a request takes in Redis at most, everything counted: by itself about 870. */
const BYTES_PER_REQUEST = 930;
const REQUESTS = 8_000;

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
  await loadScripts(direct);
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

test('a poll of a request whose client is told is one command as well', async () => {
  const request = await ask(store, { callback: CALLBACK, tellExpiry: true });
  await poll(store, request.handle);
  clock.advance(INTERVAL);
  expect(await sentFor(() => poll(store, request.handle))).toEqual(['evalsha']);
  await decide(store, request, 'approved');
  expect(await sentFor(() => poll(store, request.handle))).toEqual(['evalsha']);
  await store.outbox.end(request.handle, ending('delivered', { becomes: 'delivered' }));
  expect(await sentFor(() => poll(store, request.handle))).toEqual(['evalsha']);
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

test('every other step is one command, but for the list, which is one for each request', async () => {
  const request = await ask(store);
  const { handle, accountId } = request;
  expect(await sentFor(() => store.read(handle))).toEqual(['evalsha']);
  expect(await sentFor(() => ask(store, { accountId }))).toEqual(['evalsha']);
  expect(await sentFor(() => store.list(accountId))).toEqual(['evalsha', 'evalsha', 'evalsha']);
  expect(await sentFor(() => decide(store, request, 'approved'))).toEqual(['evalsha']);
  expect(await sentFor(() => claim(store, handle, 't'))).toEqual(['evalsha']);
  expect(await sentFor(() => store.release(handle, 't'))).toEqual(['evalsha']);
  expect(await sentFor(() => claim(store, handle, 't'))).toEqual(['evalsha']);
  expect(await sentFor(() => store.settle(handle, 't'))).toEqual(['evalsha']);
  expect(await sentFor(() => store.confirm(handle))).toEqual(['hdel']);
});

test('telling a client takes few commands a step', async () => {
  const { outbox } = store;
  const turn = (turn: number) => ({ turn, delay: 0, sent: true, note: '' });
  const tell = async () => {
    const request = await ask(store, { callback: CALLBACK, tellExpiry: true });
    await decide(store, request, 'approved');
    return request;
  };
  const told = await tell();
  const { handle } = told;
  const { handle: another } = await tell();
  const sent = async (commands: string[], step: () => Promise<unknown>) =>
    expect(await sentFor(step)).toEqual(commands);
  await sent(['evalsha'], () => ask(store, { callback: CALLBACK, tellExpiry: true, prompted: true }));
  await sent(['evalsha'], () => outbox.schedule(handle, 0));
  await outbox.schedule(another, 0);
  await sent(['evalsha', 'hget', 'hget'], () => outbox.due(10));
  await sent(['evalsha'], () => outbox.due(10));
  await sent(['evalsha'], () => outbox.find(handle));
  await sent(['evalsha'], () => outbox.keepBody(handle, 'body'));
  await sent(['evalsha', 'evalsha'], () => outbox.postpone(handle, turn(1)));
  await sent(['evalsha'], () => outbox.postpone(handle, turn(9)));
  await sent(['evalsha'], () => outbox.end(handle, ending('failed')));
  await sent(['evalsha', 'zrem'], () => outbox.leave(handle, { secrets: false, failedFor: 60_000 }));
  await sent(['zrange', 'evalsha'], () => outbox.list());
  await sent(['evalsha', 'zrem'], () => outbox.reopen(handle));
  await sent(['evalsha'], () => outbox.end(handle, ending('delivered')));
  await sent(['evalsha'], () => outbox.reopen(handle));
  await sent(['del', 'zrem'], () => outbox.leave(handle, { secrets: true }));
  await sent(['del', 'evalsha', 'zrem'], () => store.remove(handle, told));
});

test('a pending request that is polled takes a known number of bytes, its places and what Redis needs to find it included', async () => {
  const node = new RedisStore(server.client({ lazyConnect: true }), 'ciba', clock.offset, () => {});
  const limits = { account: 10, accountAndClient: 5, client: 10_000, refusals: 3, cooldown: 600_000 };
  /** Asks and polls, in batches, as the provider does. */
  const fill = async (requests: number) => {
    for (let left = requests; left > 0; left -= 50) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const [handle, accountId, clientId] = [
            randomUUID().slice(0, 22),
            randomUUID(),
            `shop-${index % 20}`,
          ];
          const payload = typicalPayload(clientId, accountId);
          expect(await node.create(newRequest({ handle, accountId, clientId, limits, payload }))).toBe(
            'created',
          );
          await node.poll({ handle, clientId, operation: newOperation() });
        }),
      );
    }
  };
  const used = async () => Number(/used_memory:(\d+)/.exec(await direct.info('memory'))?.[1]);
  await until('Redis is reached', async () => (await node.read('nothing')) === undefined);
  await fill(50);
  await direct.flushall('SYNC');
  const before = await used();
  await fill(REQUESTS);
  const bytes = (await used()) - before;
  expect(await direct.dbsize()).toBe(REQUESTS * 2 + 20);
  expect(bytes / REQUESTS).toBeLessThanOrEqual(BYTES_PER_REQUEST);
  expect(bytes / REQUESTS).toBeGreaterThan(BYTES_PER_REQUEST / 2);
  await node.close();
});

/** What the plugin stores of a request with a binding message and a wish for an authentication context. */
function typicalPayload(clientId: string, accountId: string): string {
  const [scope, acr] = ['openid profile', 'urn:example:loa2'];
  const model = {
    iat: 1_800_000_000,
    exp: 1_800_000_120,
    jti: 'x'.repeat(43),
    kind: 'BackchannelAuthenticationRequest',
    accountId,
    clientId,
    claims: { id_token: { acr: { values: [acr] } } },
    scope,
    params: {
      client_id: clientId,
      scope,
      acr_values: acr,
      login_hint: 'alice@example.com',
      binding_message: 'Order 4711: 12,50 EUR',
      requested_expiry: '600',
    },
  };
  return JSON.stringify(storablePayload(model, 'The corner shop', { life: 300 }));
}
