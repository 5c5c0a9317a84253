import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { type RequestRecord, statusAt } from '../../lib/store/lifecycle.js';
import { RedisStore } from '../../lib/store/redis.js';
import { movingClock } from '../support/clock.js';
import { callOf, startCutProxy } from '../support/cut-proxy.js';
import { type ClientOptions, startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import {
  allStatuses,
  ask,
  CLIENT,
  claim,
  decide,
  LIFETIME,
  newRequest,
  poll,
  RETENTION,
  roads,
} from './contract/given.js';

const clock = movingClock();
let server: TestRedis;
let client: Redis;
let store: RedisStore;
const opened = new Set<RedisStore>();

function openStore(options: ClientOptions = {}, prefix: string = randomUUID()): RedisStore {
  const opening = new RedisStore(
    server.client({ lazyConnect: true, ...options }),
    prefix,
    clock.offset,
    () => {},
  );
  opened.add(opening);
  return opening;
}

beforeAll(async () => {
  server = await startRedis();
  client = server.client();
});
beforeEach(async () => {
  clock.reset();
  await client.flushall();
  store = openStore();
});
afterAll(async () => {
  for (const each of opened) await each.close();
  await server.stop();
});

/** Every key and how long it will live. */
async function lives(): Promise<[string, number][]> {
  const keys = await client.keys('*');
  return Promise.all(keys.map(async (key) => [key, await client.pttl(key)] as [string, number]));
}

/** Every key ends when nobody needs it any more, and not before; a test takes less than half a minute. */
async function expectEveryKeyToEnd(): Promise<void> {
  for (const [key, life] of await lives()) {
    const needed = key.includes(':account:') ? LIFETIME : LIFETIME + RETENTION;
    expect(life).toBeGreaterThan(needed - 30_000);
    expect(life).toBeLessThanOrEqual(needed);
  }
}

describe('keys', () => {
  test.each(allStatuses)(
    'each key of a request that is %s ends by itself, whatever is done to it',
    async (status) => {
      const request = await ask(store);
      const { handle } = request;
      await roads[status]({ store, other: store, clock, tick: 0 }, request);
      const steps = [
        () => poll(store, handle),
        () => store.create(request),
        () => decide(store, request, 'approved'),
        () => claim(store, handle, 't'),
        () => store.release(handle, 't'),
        () => claim(store, handle, 't'),
        () => store.settle(handle, 't'),
        () => store.list(request.accountId),
        () => store.read(handle),
      ];
      for (const step of steps) {
        await step();
        await expectEveryKeyToEnd();
      }
      expect(await client.exists(`${(await client.keys(`*{${handle}}`))[0]}`)).toBe(1);
    },
  );

  test('no step on a request that Redis has forgotten brings a key back', async () => {
    const request = await ask(store);
    const { handle, accountId } = request;
    await client.flushall();
    expect(await poll(store, handle)).toEqual({ result: 'gone' });
    expect(await decide(store, request, 'approved')).toEqual({ result: 'gone' });
    expect(await claim(store, handle)).toEqual({ result: 'gone' });
    expect(await store.settle(handle, 't')).toBe(false);
    await store.release(handle, 't');
    await store.remove(handle);
    expect(await store.list(accountId)).toEqual([]);
    expect(await client.dbsize()).toBe(0);
  });

  test('nothing is left when the retention is over', async () => {
    for (const status of allStatuses) {
      const request = await ask(store, { lifetime: 40, retention: 40 });
      await roads[status]({ store, other: store, clock: movingClock(), tick: 0 }, request);
    }
    await until('every key has ended', async () => (await client.dbsize()) === 0);
  });

  test('a longer request keeps the index of its account for as long as it lives', async () => {
    const { accountId } = await ask(store, { lifetime: 10_000 });
    await ask(store, { accountId, lifetime: 90_000 });
    await ask(store, { accountId, lifetime: 20_000 });
    const [index] = (await lives()).filter(([key]) => key.includes(':account:'));
    expect(index?.[1]).toBeGreaterThan(80_000);
    expect(index?.[1]).toBeLessThanOrEqual(90_000);
  });

  test('no name of a key shows an account, and none is steered by one', async () => {
    const accountId = 'alice}{*@example.com';
    await ask(store, { accountId });
    const keys = await client.keys('*');
    expect(keys).toHaveLength(2);
    expect(keys.filter((key) => /alice|example|\*/.test(key))).toEqual([]);
  });

  test('two prefixes on one server do not see each other', async () => {
    const other = openStore();
    const request = await ask(store, { pendingLimit: 1 });
    expect(await other.read(request.handle)).toBeUndefined();
    expect(await other.list(request.accountId)).toEqual([]);
    expect(await other.create(request)).toBe('created');
  });

  test('a decision after the end of a removed request does not bring it back', async () => {
    const request = await ask(store);
    await store.remove(request.handle);
    expect(await decide(store, request, 'denied')).toEqual({ result: 'gone' });
    expect(await client.dbsize()).toBe(0);
  });
});

describe('time', () => {
  const luaStatus = `${readFileSync(new URL('../../lib/store/lua/include/status.lua', import.meta.url), 'utf8')}
    return status_at(tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5] ~= '' and ARGV[5])`;

  test('a script judges where a request stands as statusAt does, to the millisecond', async () => {
    const near = fc.tuple(
      fc.constantFrom('expiresAt', 'keepUntil', 'until'),
      fc.integer({ min: -2, max: 2 }),
    );
    const status = fc.constantFrom('pending', 'approved', 'claimed', 'redeemed', 'denied', 'cancelled');
    const start = 1_800_000_000_000;
    await fc.assert(
      fc.asyncProperty(
        status,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 0, max: 50 }),
        fc.integer({ min: -20, max: 120 }),
        near,
        async (written, life, retention, lease, [edge, distance]) => {
          const times = {
            expiresAt: start + life,
            keepUntil: start + life + retention,
            until: start + lease,
          };
          const now = times[edge as keyof typeof times] + distance;
          const claimed = written === 'claimed';
          const record = {
            ...times,
            clientId: '',
            accountId: '',
            payload: '',
            interval: 0,
            status: written,
            ...(claimed && { claim: { token: 't', until: times.until } }),
          } as RequestRecord;
          const lease_ = claimed ? times.until : '';
          const told = await client.eval(
            luaStatus,
            0,
            now,
            written,
            times.expiresAt,
            times.keepUntil,
            lease_,
          );
          expect(told).toBe(statusAt(record, now));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('a request is pending while a millisecond of its life is left, and expired when none is', async () => {
    const { handle } = await ask(store);
    const expiresAt = (await store.read(handle))?.expiresAt ?? 0;
    const seen = new Set<string>();
    let ahead = 0;
    await until('both sides of the edge were seen', async () => {
      ahead = (ahead + 1) % 20;
      clock.moveTo(expiresAt - ahead);
      const reads = await Promise.all(Array.from({ length: 20 }, () => store.read(handle)));
      for (const read of reads) seen.add(`${read?.status} with ${read?.remaining}`);
      return seen.has('pending with 1') && seen.has('expired with 0');
    });
    const wrong = [...seen].filter(
      (sight) => sight !== 'expired with 0' && !/^pending with [1-9]/.test(sight),
    );
    expect(wrong).toEqual([]);
  });

  test('the clock of a node does not count, only that of the server', async () => {
    const { handle } = await ask(store);
    const { now } = Date;
    try {
      Date.now = () => now() + 86_400_000;
      expect(await store.read(handle)).toMatchObject({ status: 'pending' });
    } finally {
      Date.now = now;
    }
  });
});

describe('connection', () => {
  test('the list has the request that ends first in front, even where two nodes stored them crosswise', async () => {
    const prefix = randomUUID();
    const proxy = await startCutProxy(server.port);
    const slow = openStore({ port: proxy.port }, prefix);
    const fast = openStore({}, prefix);
    const { accountId } = newRequest();
    await slow.read('ready');
    const cut = proxy.cutReplyOf(callOf('reserve'));
    const first = ask(slow, { accountId });
    await cut;
    await ask(fast, { accountId });
    await first;
    const ends = (await fast.list(accountId)).map(({ expiresAt }) => expiresAt);
    expect(ends).toHaveLength(2);
    expect(ends).toEqual([...ends].sort());
    opened.delete(slow);
    await slow.close();
    await proxy.close();
  });

  test('a client that prefixes its keys or reads numbers as strings is understood', async () => {
    for (const options of [{ keyPrefix: 'app:' }, { stringNumbers: true }, { enableAutoPipelining: true }]) {
      const node = openStore(options);
      const request = await ask(node, { pendingLimit: 1 });
      const { handle } = request;
      expect(await poll(node, handle)).toMatchObject({ result: 'pending', wait: 5_000 });
      expect(await node.list(request.accountId)).toHaveLength(1);
      expect(await decide(node, request, 'approved')).toMatchObject({ result: 'decided' });
      expect(await node.claim({ handle, clientId: CLIENT, token: 't', lease: 60_000 })).toEqual({
        result: 'won',
      });
      expect(await node.settle(handle, 't')).toBe(true);
      expect((await node.read(handle))?.remaining).toBeGreaterThan(LIFETIME / 2);
    }
  });

  test('closing a store leaves the client that it was given open', async () => {
    const own = server.client();
    const closing = new RedisStore(own, randomUUID(), clock.offset, () => {});
    await closing.read('nothing');
    await closing.close();
    expect(await own.ping()).toBe('PONG');
  });
});
