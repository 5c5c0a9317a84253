import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Redis } from 'ioredis';
import { CibaError } from '../../lib/errors.js';
import { RedisStore } from '../../lib/store/redis.js';
import { requestKey } from '../../lib/store/redis-keys.js';
import { ask, CALLBACK, claim, decide, ending, newRequest, poll } from '../store/contract/given.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import { asked, ask as askFor, type PluginServer, pluginServer, poll as pollFor } from '../support/server.js';
import { until } from '../support/until.js';

/** A server that answers, and whose answer is an error. */
let server: TestRedis;
let admin: Redis;

beforeAll(async () => {
  server = await startRedis();
  admin = server.client({ maxRetriesPerRequest: null });
});
afterAll(() => server.stop());

/** A state of a server in which it refuses what is asked of it, and how it is left again. */
interface Refusing {
  readonly refuses: RegExp;
  enter(): Promise<unknown>;
  leave(): Promise<unknown>;
}

const REFUSALS: Readonly<Record<string, Refusing>> = {
  OOM: {
    refuses: /OOM/,
    async enter() {
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      await admin.config('SET', 'maxmemory', '1');
    },
    leave: () => admin.config('SET', 'maxmemory', '0'),
  },
  READONLY: {
    refuses: /READONLY/,
    async enter() {
      // A primary that nobody hears of: it keeps what it has.
      await admin.replicaof('127.0.0.1', 1);
    },
    leave: () => admin.replicaof('NO', 'ONE'),
  },
  MASTERDOWN: {
    refuses: /MASTERDOWN/,
    async enter() {
      await admin.config('SET', 'replica-serve-stale-data', 'no');
      await admin.replicaof('127.0.0.1', 1);
    },
    async leave() {
      await admin.replicaof('NO', 'ONE');
      await admin.config('SET', 'replica-serve-stale-data', 'yes');
    },
  },
  MISCONF: {
    refuses: /MISCONF/,
    async enter() {
      await admin.config('SET', 'save', '3600 1');
      await admin.config('SET', 'stop-writes-on-bgsave-error', 'yes');
      const at = Number(await admin.lastsave());
      // Its folder is gone, so that the copy that it makes of itself fails.
      const [, folder = ''] = (await admin.config('GET', 'dir')) as string[];
      await rm(folder, { recursive: true, force: true });
      await until('a copy has failed', async () => {
        await admin.bgsave().catch(() => {});
        return /rdb_last_bgsave_status:err/.test(await admin.info('persistence'));
      });
      expect(Number(await admin.lastsave())).toBe(at);
    },
    leave: () => admin.config('SET', 'stop-writes-on-bgsave-error', 'no'),
  },
  NOREPLICAS: {
    refuses: /NOREPLICAS/,
    enter: () => admin.config('SET', 'min-replicas-to-write', '1'),
    leave: () => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  BUSY: {
    refuses: /BUSY/,
    async enter() {
      await admin.config('SET', 'busy-reply-threshold', '50');
      const loops = server.client();
      loops.eval('while true do end', 0).catch(() => {});
      await until('it is busy', async () => {
        const error: unknown = await admin.ping().catch((failure: unknown) => failure);
        return String(error).includes('BUSY');
      });
    },
    async leave() {
      await admin.call('SCRIPT', 'KILL');
      await until('it goes on', async () => (await admin.ping()) === 'PONG');
    },
  },
  NOAUTH: {
    refuses: /NOAUTH|WRONGPASS|NOPERM|not reachable/,
    async enter() {
      await admin.call(
        'ACL',
        'SETUSER',
        'default',
        'resetpass',
        '>another',
        '-eval',
        '-evalsha',
        '-del',
        '-zscore',
        '-zrem',
      );
    },
    leave: () => admin.call('ACL', 'SETUSER', 'default', 'nopass', '+@all'),
  },
};

/** Steps that write, each with what it needs, what it answers where it is done, and where the request stands then. */
const STEPS: Readonly<
  Record<
    string,
    (store: RedisStore) => Promise<{ handle: string; step: () => Promise<unknown>; answer: unknown }>
  >
> = {
  async create(store) {
    const limits = { account: 5, accountAndClient: 5, client: 5, refusals: 5, cooldown: 60_000 };
    const request = newRequest({ callback: CALLBACK, tellExpiry: true, prompted: true, limits });
    return { handle: request.handle, step: () => store.create(request), answer: 'created' };
  },
  async poll(store) {
    const { handle } = await ask(store);
    const operation = randomUUID();
    return {
      handle,
      step: () => poll(store, handle, operation),
      answer: expect.objectContaining({ result: 'pending' }),
    };
  },
  async decide(store) {
    const request = await ask(store);
    const operation = randomUUID();
    const answer = expect.objectContaining({ result: 'decided' });
    return { handle: request.handle, step: () => decide(store, request, 'approved', operation), answer };
  },
  async claim(store) {
    const request = await ask(store);
    await decide(store, request, 'approved');
    return {
      handle: request.handle,
      step: () => claim(store, request.handle, 'mine'),
      answer: { result: 'won' },
    };
  },
  async settle(store) {
    const request = await ask(store);
    await decide(store, request, 'approved');
    await claim(store, request.handle, 'mine');
    return { handle: request.handle, step: () => store.settle(request.handle, 'mine'), answer: true };
  },
  async release(store) {
    const request = await ask(store);
    await decide(store, request, 'approved');
    await claim(store, request.handle, 'mine');
    return { handle: request.handle, step: () => store.release(request.handle, 'mine'), answer: undefined };
  },
  async keepBody(store) {
    const request = await ask(store, { callback: CALLBACK });
    await decide(store, request, 'approved');
    return {
      handle: request.handle,
      step: () => store.outbox.keepBody(request.handle, 'body'),
      answer: 'body',
    };
  },
  async 'end of a telling'(store) {
    const request = await ask(store, { callback: CALLBACK });
    await decide(store, request, 'approved');
    return {
      handle: request.handle,
      step: () => store.outbox.end(request.handle, ending('delivered')),
      answer: 'delivered',
    };
  },
};

describe.each(Object.entries(REFUSALS))('a server that answers %s', (_name, { refuses, enter, leave }) => {
  let store: RedisStore;
  let prefix: string;

  beforeEach(async () => {
    prefix = randomUUID();
    store = new RedisStore(
      server.client({ lazyConnect: true }),
      prefix,
      () => 0,
      () => {},
    );
    await until('the store answers', async () => (await store.read('nothing')) === undefined);
  });
  afterEach(() => store.close());

  test('F19 does no step by half: what it refuses is as it was, and is done when it goes on', async () => {
    const given = await Promise.all(Object.values(STEPS).map((make) => make(store)));
    /** All that is stored, not only the requests. */
    const standing = async (): Promise<Record<string, unknown>> => {
      const keys = await admin.keys(`${prefix}*`);
      const values = await Promise.all(keys.map((key) => admin.dumpBuffer(key)));
      return Object.fromEntries(keys.map((key, at) => [key, values[at]?.toString('latin1')]));
    };
    const before = await standing();
    await enter();
    const refused = await Promise.all(
      given.map(({ step }) => step().then(String, (error: CibaError) => error)),
    );
    await leave();
    for (const error of refused) {
      expect(error).toMatchObject({
        code: 'store_unavailable',
        cause: { message: expect.stringMatching(refuses) },
      });
    }
    expect(await standing()).toEqual(before);
    await until('the store answers', async () => (await store.read('nothing')) === undefined);
    for (const { step, answer } of given) expect(await step()).toEqual(answer);
  });

  test('F19 is answered for by 503, and forgets nobody’s approval', async () => {
    const op: PluginServer = pluginServer({ redis: server.client({ lazyConnect: true }) });
    try {
      await until('the store answers', async () => (await op.ciba.requests.list('nobody')).length === 0);
      const authReqId = await asked(op);
      await op.approve(authReqId);
      await enter();
      const answers = [await askFor(op), await pollFor(op, authReqId)];
      await expect(op.ciba.requests.cancel(op.ciba.requests.handleOf(authReqId))).rejects.toBeInstanceOf(
        CibaError,
      );
      await leave();
      for (const answer of answers) {
        expect(answer.status).toBe(503);
        expect(answer.headers['retry-after']).toBe('5');
        expectErrorEnvelope(answer);
      }
      await until('the tokens are there', async () => {
        const { status } = await pollFor(op, authReqId);
        if (status !== 200) op.advance(6);
        return status === 200;
      });
      expect(op.store.count('AccessToken')).toBe(1);
      expect(op.heard).toContain('store.unavailable');
    } finally {
      await op.close();
    }
  });
});

test('F19 a server that loads what it has kept is waited for', async () => {
  const slow = await startRedis({
    durable: true,
    args: ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'],
  });
  try {
    const keys = slow.client();
    const prefix = randomUUID();
    const store = new RedisStore(
      slow.client({ lazyConnect: true }),
      prefix,
      () => 0,
      () => {},
    );
    const request = await ask(store);
    const filler = keys.pipeline();
    for (let index = 0; index < 500; index += 1) filler.set(`filler:${index}`, 'x'.repeat(200));
    await filler.exec();
    await slow.kill();
    const restarting = slow.restart();
    let refused = 0;
    await until('it loads', async () => {
      const error: unknown = await decide(store, request, 'approved', 'once').catch(
        (failure: unknown) => failure,
      );
      if (error instanceof CibaError) refused += 1;
      return !(error instanceof CibaError);
    });
    await restarting;
    expect(refused).toBeGreaterThan(0);
    expect(await store.read(request.handle)).toMatchObject({ status: 'approved' });
    await store.close();
  } finally {
    await slow.stop();
  }
});

test.each(['string', 'list', 'set', 'zset'])(
  'F19 a key of another type (%s) in the place of a request is no request, and harms no other',
  async (type) => {
    const prefix = randomUUID();
    const store = new RedisStore(
      server.client({ lazyConnect: true }),
      prefix,
      () => 0,
      () => {},
    );
    try {
      const [request, other] = [await ask(store), await ask(store)];
      const key = requestKey(prefix, request.handle);
      await admin.del(key);
      if (type === 'string') await admin.set(key, 'approved');
      if (type === 'list') await admin.rpush(key, 'status', 'approved');
      if (type === 'set') await admin.sadd(key, 'status', 'approved');
      if (type === 'zset') await admin.zadd(key, 1, 'approved');
      for (const step of [
        () => poll(store, request.handle),
        () => decide(store, request, 'approved'),
        () => claim(store, request.handle),
        () => store.settle(request.handle, 'mine'),
        () => store.read(request.handle),
      ]) {
        await expect(step()).rejects.toMatchObject({
          code: 'store_unavailable',
          cause: { message: expect.stringMatching(/WRONGTYPE/) },
        });
      }
      expect(await decide(store, other, 'approved')).toMatchObject({ result: 'decided' });
      expect(await claim(store, other.handle)).toEqual({ result: 'won' });
      // Not for ever: it may be removed.
      await store.remove(request.handle, request);
      expect(await store.read(request.handle)).toBeUndefined();
    } finally {
      await store.close();
    }
  },
);
