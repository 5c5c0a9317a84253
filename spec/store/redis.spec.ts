import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { Cluster, Redis } from 'ioredis';
import { type RequestRecord, statusAt } from '../../lib/store/lifecycle.js';
import { EXPIRY_GRACE } from '../../lib/store/outbox.js';
import { RedisStore } from '../../lib/store/redis.js';
import { openConnection } from '../../lib/store/redis-connection.js';
import { movingClock } from '../support/clock.js';
import { callOf, startCutProxy } from '../support/cut-proxy.js';
import { type ClientOptions, startApart, startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import {
  allStatuses,
  ask,
  CALLBACK,
  CLIENT,
  claim,
  decide,
  ending,
  LIFETIME,
  needs,
  newRequest,
  places,
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
    const needed = /:account:|:callback$/.test(key) ? LIFETIME : LIFETIME + RETENTION;
    expect(life).toBeGreaterThan(needed - 30_000);
    expect(life).toBeLessThanOrEqual(needed);
  }
}

describe('keys', () => {
  test.each(allStatuses)(
    'each key of a request that is %s ends by itself, whatever is done to it',
    async (status) => {
      const request = await ask(store, needs(status));
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
    const { outbox } = store;
    expect(await outbox.find(handle)).toBeUndefined();
    expect(await outbox.keepBody(handle, 'body')).toBeUndefined();
    expect(await outbox.postpone(handle, { turn: 1, delay: 0, sent: true, note: '' })).toBe(false);
    expect(await outbox.end(handle, ending('delivered', { becomes: 'delivered' }))).toBeUndefined();
    expect(await outbox.reopen(handle)).toBeUndefined();
    await outbox.leave(handle, { secrets: true });
    expect(await outbox.due(10)).toEqual([]);
    expect(await outbox.list()).toEqual({ waiting: [], failed: [] });
    expect(await client.dbsize()).toBe(0);
  });

  test('nothing is left when the retention is over', async () => {
    for (const status of allStatuses) {
      const request = await ask(store, { ...needs(status), lifetime: 40, retention: 40 });
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
    const request = await ask(store, { limits: places(1) });
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

describe('what a client is told with', () => {
  const BODY = '{"access_token":"body-secret"}';
  const DAY = 86_400_000;

  /** What every key holds, by its name. */
  async function everything(): Promise<[string, string][]> {
    const keys = await client.keys('*');
    return Promise.all(
      keys.map(async (key) => {
        const type = await client.type(key);
        if (type === 'hash') return [key, JSON.stringify(await client.hgetall(key))] as [string, string];
        expect([key, type]).toEqual([key, 'zset']);
        return [key, JSON.stringify(await client.zrange(key, '0', '-1', 'WITHSCORES'))] as [string, string];
      }),
    );
  }

  /** The names of the keys that hold a secret, or show it. */
  async function holders(): Promise<string[]> {
    const all = await everything();
    return all.filter((entry) => /secret/.test(entry.join(' '))).map(([key]) => key);
  }

  const callbackLife = (handle: string) =>
    client.keys(`*{${handle}}:callback`).then(([key = '']) => client.pttl(key));

  /** Every step on one request, in an order in which each has something to do. */
  function lifeOf(request: ReturnType<typeof newRequest>): (() => Promise<unknown>)[] {
    const { handle } = request;
    const { outbox } = store;
    const turn = (turn: number) => ({ turn, delay: 1_000, sent: true, note: 'later' });
    return [
      () => poll(store, handle),
      () => store.create(request),
      () => outbox.schedule(handle, 0),
      () => decide(store, request, 'approved'),
      () => outbox.due(10),
      () => outbox.find(handle),
      () => outbox.postpone(handle, turn(1)),
      () => outbox.end(handle, ending('failed')),
      () => outbox.leave(handle, { secrets: false, failedFor: DAY }),
      () => outbox.list(),
      () => outbox.reopen(handle),
      () => outbox.postpone(handle, turn(3)),
    ];
  }

  test.each([
    ['as its request', false, LIFETIME],
    ['a little longer than its request where it may have to tell the expiry', true, LIFETIME + EXPIRY_GRACE],
  ])('PRIV-5: lives as long %s, whatever is done', async (_, tellExpiry, needed) => {
    const request = await ask(store, { callback: CALLBACK, tellExpiry });
    for (const step of [async () => {}, ...lifeOf(request)]) {
      await step();
      expect(await callbackLife(request.handle)).toBeGreaterThan(needed - 30_000);
      expect(await callbackLife(request.handle)).toBeLessThanOrEqual(needed);
    }
  });

  test.each([false, true])(
    'PUSH-8: lives until the retention is over once a body is kept (expiry told: %s)',
    async (tellExpiry) => {
      const request = await ask(store, { callback: CALLBACK, tellExpiry });
      const { handle } = request;
      await decide(store, request, 'approved');
      clock.advance(LIFETIME / 2);
      await store.outbox.keepBody(handle, BODY);
      const life = await callbackLife(handle);
      expect(life).toBeGreaterThan(LIFETIME / 2 + RETENTION - 30_000);
      expect(life).toBeLessThanOrEqual(LIFETIME / 2 + RETENTION);
      clock.reset();
      for (const step of [() => store.outbox.keepBody(handle, 'other'), ...lifeOf(request)]) {
        await step();
        expect(await callbackLife(handle)).toBeGreaterThan(life - 30_000);
        expect(await callbackLife(handle)).toBeLessThanOrEqual(life);
      }
    },
  );

  test('is gone when the request has ended, and what is left of a body when the retention is over', async () => {
    const short = { callback: CALLBACK, lifetime: 200, retention: 400 };
    const [pinged, pushed] = [await ask(store, short), await ask(store, short)];
    expect(await store.outbox.keepBody(pushed.handle, BODY)).toBe(BODY);
    await until('the callback has ended', async () => (await callbackLife(pinged.handle)) === -2);
    expect(await store.outbox.find(pushed.handle)).toMatchObject({ callback: CALLBACK, body: BODY });
    await until('everything has ended', async () => (await client.dbsize()) === 0);
  });

  test('no key is without an end, and the indexes live longer than any request', async () => {
    const request = await ask(store, { callback: CALLBACK, tellExpiry: true });
    for (const step of [...lifeOf(request), () => store.outbox.keepBody(request.handle, BODY)]) {
      await step();
      for (const [key, life] of await lives()) {
        if (key.includes(':deliveries')) expect(life).toBeGreaterThan(2 * DAY);
        expect([key, life > 0 && life <= 3 * DAY]).toEqual([key, true]);
      }
    }
  });

  test('PRIV-5: is in one key, which no other key and no name of a key shows anything of', async () => {
    const request = await ask(store, { callback: CALLBACK, tellExpiry: true });
    const steps = [...lifeOf(request), () => store.outbox.keepBody(request.handle, BODY)];
    for (const step of steps) {
      await step();
      expect(await holders()).toEqual([expect.stringMatching(/:callback$/)]);
    }
    const prefix = (await client.keys('*:deliveries'))[0]?.replace(':deliveries', '');
    const names = (await client.keys('*')).map((key) => key.replace(`${prefix}:`, ''));
    expect(names.filter((name) => !name.startsWith('account:')).sort()).toEqual(
      ['deliveries', `{${request.handle}}`, `{${request.handle}}:callback`].sort(),
    );
    for (const [key, held] of await everything()) {
      if (key.includes('deliveries')) expect(JSON.parse(held)).toEqual([request.handle, expect.anything()]);
    }
  });

  test.each([
    ['left', (handle: string) => store.outbox.leave(handle, { secrets: true })],
    ['left, given up', (handle: string) => store.outbox.leave(handle, { secrets: true, failedFor: DAY })],
    ['removed', (handle: string) => store.remove(handle)],
  ])('PRIV-5: is nowhere on the server once it is %s', async (_, leave) => {
    const request = await ask(store, { callback: CALLBACK });
    for (const step of [...lifeOf(request), () => store.outbox.keepBody(request.handle, BODY)]) await step();
    expect(JSON.stringify(await everything())).toMatch(/callback-secret.*body-secret/);
    await leave(request.handle);
    const left = JSON.stringify(await everything());
    for (const secret of [CALLBACK, BODY, 'secret']) expect(left).not.toContain(secret);
    expect(await callbackLife(request.handle)).toBe(-2);
  });

  test('on a server of a cluster every script keeps to one slot, once the first has said that it is one', async () => {
    const apart = await startApart();
    const proxy = await startCutProxy(apart.port);
    const node = openStore({ port: proxy.port });
    store = node;
    await until('the store answers', async () => (await node.read('nothing')) === undefined);
    await ask(node);
    expect(proxy.commands.filter(callOf('ask'))).toHaveLength(1);
    const known = proxy.commands.length;
    const request = await ask(node, { callback: CALLBACK, tellExpiry: true });
    for (const step of [...lifeOf(request), () => node.outbox.keepBody(request.handle, BODY)]) await step();
    const several = proxy.commands
      .slice(known)
      .filter(([name, , keys]) => /^eval/i.test(name ?? '') && Number(keys) > 1);
    expect(several.length).toBeGreaterThan(3);
    for (const [, , count, ...rest] of several) {
      const tags = rest.slice(0, Number(count)).map((key) => /\{(.+?)\}/.exec(key)?.[1]);
      expect(tags).toEqual(Array(Number(count)).fill(tags[0]));
      expect(tags[0]).toBeDefined();
    }
    opened.delete(node);
    await node.close();
    await proxy.close();
    await apart.stop();
  });
});

describe('while Redis refuses a command', () => {
  const refusing = async (command: string, call: () => Promise<unknown>, admin = client) => {
    await admin.acl('SETUSER', 'default', `-${command}`);
    await call();
    await admin.acl('SETUSER', 'default', `+${command}`);
  };
  const limits = { ...places(1), client: 2, refusals: 1 };

  test('[SEC-1] a decision holds, its places are left later, and an approval does not count as not answered', async () => {
    const request = await ask(store, { limits });
    await refusing('zrem', async () => {
      expect(await decide(store, request, 'approved')).toMatchObject({ result: 'decided' });
    });
    await until('the places are left', async () => (await client.keys('*')).length === 1);
    clock.advance(LIFETIME + 1);
    await ask(store, { accountId: request.accountId, limits });
  });

  test('[SEC-14] in a cluster what an account refuses gives the place of the client back later', async () => {
    const apart = await startApart();
    const admin = apart.client();
    store = new RedisStore(apart.client(), 'ciba', clock.offset, () => {});
    await until('the store answers', async () => (await store.read('nothing')) === undefined);
    const { accountId } = await ask(store, { limits });
    const refused = async () => {
      expect(await store.create(newRequest({ accountId, limits }))).toBe('account');
    };
    await refusing('zrem', refused, admin);
    const [places = ''] = await admin.keys('*:client:*');
    await until('the place is given back', async () => (await admin.zcard(places)) === 1);
    await store.close();
    await apart.stop();
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
    const status = fc.constantFrom(
      'pending',
      'approved',
      'claimed',
      'redeemed',
      'delivered',
      'undeliverable',
      'denied',
      'cancelled',
    );
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
    const cut = proxy.cutReplyOf(callOf('ask'));
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
      const request = await ask(node, { limits: places(1) });
      const { handle } = request;
      expect(await poll(node, handle)).toMatchObject({ result: 'pending', wait: 5_000 });
      expect(await node.list(request.accountId)).toHaveLength(1);
      expect(await decide(node, request, 'approved')).toMatchObject({ result: 'decided' });
      expect(await node.claim({ handle, clientId: CLIENT, token: 't', lease: 60_000 })).toEqual({
        result: 'won',
      });
      expect(await node.settle(handle, 't')).toBe(true);
      expect((await node.read(handle))?.remaining).toBeGreaterThan(LIFETIME / 2);
      const told = await ask(node, { callback: CALLBACK });
      await node.outbox.schedule(told.handle, 0);
      expect(await node.outbox.due(10)).toEqual([{ handle: told.handle, turn: 1 }]);
      expect(await node.outbox.postpone(told.handle, { turn: 1, delay: 0, sent: true, note: '' })).toBe(true);
      const found = { turn: 2, attempts: 1, callback: CALLBACK, dueAt: expect.any(Number) };
      expect(await node.outbox.find(told.handle)).toMatchObject(found);
      await node.outbox.leave(told.handle, { secrets: true, failedFor: 60_000 });
      expect(await node.outbox.list()).toEqual({ waiting: [], failed: [told.handle] });
    }
  });

  test('what one turn has to say is sorted by no client, where it goes to one server or to several', () => {
    const quiet = { lazyConnect: true, enableAutoPipelining: true };
    const clients = [new Redis(server.port, quiet), new Cluster([{ port: server.port }], quiet)];
    for (const client of clients) {
      const connection = openConnection(client);
      expect(connection.options.enableAutoPipelining).toBe(false);
      connection.disconnect();
    }
  });

  test('a server of a cluster that is reached as if it were alone is asked in steps, also where replicas are waited for', async () => {
    const apart = await startApart();
    for (const replicas of [undefined, { acknowledge: 0, within: 100 }]) {
      const options = { replicas };
      const node = new RedisStore(apart.client(), randomUUID(), clock.offset, () => {}, options);
      await until('the store answers', async () => (await node.read('nothing')) === undefined);
      const decided = await ask(node, { limits: places(1) });
      await until('its other connection is open', async () => {
        const { result } = await decide(node, decided, 'approved', 'o').catch(() => ({ result: 'unknown' }));
        return result === 'decided';
      });
      expect(await node.read(decided.handle)).toMatchObject({ status: 'approved' });
      await ask(node, { accountId: decided.accountId, limits: places(1) });
      await node.close();
    }
    await apart.stop();
  });

  test('closing a store leaves the client that it was given open', async () => {
    const own = server.client();
    const closing = new RedisStore(own, randomUUID(), clock.offset, () => {});
    await closing.read('nothing');
    await closing.close();
    expect(await own.ping()).toBe('PONG');
  });
});
