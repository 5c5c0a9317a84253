import { randomUUID } from 'node:crypto';
import { CibaError } from '../../lib/errors.js';
import { RedisStore } from '../../lib/store/redis.js';
import { startCutProxy } from '../support/cut-proxy.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { ask, claim, decide, ending, newRequest, poll } from './contract/given.js';

/** Every method has a second; a machine that is busy may take a little longer to say so. */
const BOUND = 4_000;

let server: TestRedis;
let store: RedisStore;
let reported: unknown[];

beforeEach(async () => {
  server = await startRedis();
  reported = [];
  store = openStore();
  await ask(store);
});
afterEach(async () => {
  await store.close();
  await server.stop();
});

function openStore(port = server.port): RedisStore {
  return new RedisStore(
    server.client({ port, lazyConnect: true }),
    randomUUID(),
    () => 0,
    (cause) => reported.push(cause),
  );
}

/** A call of every method. */
function calls(on: RedisStore): Record<string, () => Promise<unknown>> {
  const request = newRequest();
  const { handle } = request;
  const { outbox } = on;
  return {
    create: () => on.create(request),
    read: () => on.read(request.handle),
    list: () => on.list(request.accountId),
    poll: () => poll(on, request.handle),
    statusOf: () => on.statusOf(request.handle),
    decide: () => decide(on, request, 'approved'),
    claim: () => claim(on, request.handle),
    settle: () => on.settle(request.handle, 't'),
    confirm: () => on.confirm(request.handle),
    release: () => on.release(request.handle, 't'),
    remove: () => on.remove(request.handle),
    schedule: () => outbox.schedule(handle, 0),
    due: () => outbox.due(10),
    'list of the outbox': () => outbox.list(),
    find: () => outbox.find(handle),
    keepBody: () => outbox.keepBody(handle, 'body'),
    postpone: () => outbox.postpone(handle, { turn: 1, delay: 0, sent: true, note: '' }),
    end: () => outbox.end(handle, ending('delivered')),
    leave: () => outbox.leave(handle, { secrets: true, failedFor: 60_000 }),
    reopen: () => outbox.reopen(handle),
  };
}

async function expectUnavailable(on: RedisStore = store): Promise<void> {
  const before = reported.length;
  const start = performance.now();
  const all = Object.entries(calls(on));
  const errors = await Promise.all(
    all.map(async ([name, call]) => {
      const error = await call().then(
        (answer) => `${name} answered ${JSON.stringify(answer)}`,
        (failure: unknown) => failure,
      );
      return error;
    }),
  );
  expect(performance.now() - start).toBeLessThan(BOUND);
  for (const error of errors) {
    expect(error).toBeInstanceOf(CibaError);
    expect(error).toMatchObject({ code: 'store_unavailable', cause: expect.any(Error) });
  }
  expect(reported.length - before).toBe(all.length);
}

async function expectAvailable(on: RedisStore = store): Promise<void> {
  await until('the store answers again', async () => (await on.read('nothing')) === undefined);
  const request = await ask(on);
  expect(await poll(on, request.handle)).toMatchObject({ result: 'pending' });
  expect(await decide(on, request, 'approved')).toMatchObject({ result: 'decided' });
  expect(await claim(on, request.handle, 't')).toEqual({ result: 'won' });
  expect(await on.settle(request.handle, 't')).toBe(true);
}

test('a server that is frozen makes every method say so in time, and work again when it thaws', async () => {
  server.pause();
  await expectUnavailable();
  await expectUnavailable();
  server.resume();
  await expectAvailable();
});

test('what was told unknown does not come to anything later because the server did not know its script [HTTP-13]', async () => {
  await ask(store);
  const admin = server.client();
  await admin.script('FLUSH');
  const request = newRequest({ prompted: true, limits: { client: 5, cooldown: 0 } });
  server.pause();
  await expect(store.create(request)).rejects.toMatchObject({ code: 'store_unavailable' });
  server.resume();
  // What it would have led to has been sent by then.
  await until('the store answers again', async () => (await store.read('nothing')) === undefined);
  expect(await store.read(request.handle)).toBeUndefined();
  expect(await store.list(request.accountId)).toEqual([]);
});

test('an answer that came while this process was busy for too long is heard all the same', async () => {
  const { handle } = await ask(store);
  const found = store.read(handle);
  // The command leaves at the end of this turn.
  await new Promise((resolve) => setImmediate(resolve));
  const end = performance.now() + 1_200;
  while (performance.now() < end);
  expect(await found).toMatchObject({ handle, status: 'pending' });
  expect(reported).toEqual([]);
});

test('a command that has not left yet, because this process was busy for too long, is answered all the same', async () => {
  const { handle } = await ask(store);
  const found = store.read(handle);
  const end = performance.now() + 1_300;
  while (performance.now() < end);
  expect(await found).toMatchObject({ handle, status: 'pending' });
  expect(reported).toEqual([]);
});

test('a server that was killed makes every method say so in time, and work again with the next one', async () => {
  await server.kill();
  await expectUnavailable();
  await server.restart();
  await expectAvailable();
});

test('a store that was opened before its server works when the server comes', async () => {
  await server.kill();
  const early = openStore();
  await expectUnavailable(early);
  await server.restart();
  await expectAvailable(early);
  await early.close();
});

test('a line on which nothing moves any more is given up for a new one', async () => {
  const proxy = await startCutProxy(server.port);
  const distant = openStore(proxy.port);
  await ask(distant);
  proxy.freeze();
  await expectUnavailable(distant);
  proxy.abandon();
  await expectAvailable(distant);
  await distant.close();
  await proxy.close();
});

test('a server that refuses to write is not taken for an answer', async () => {
  const admin = server.client();
  const request = await ask(store);
  await admin.config('SET', 'maxmemory', '1');
  await admin.config('SET', 'maxmemory-policy', 'noeviction');
  for (const call of [
    () => store.create(newRequest()),
    () => poll(store, request.handle),
    () => decide(store, request, 'approved'),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: 'store_unavailable' });
  }
  await admin.config('SET', 'maxmemory', '0');
  expect(await store.read(request.handle)).toMatchObject({ status: 'pending' });
  await expectAvailable();
});

test('a primary that became a replica is left for the new primary, and nothing is decided by both', async () => {
  const next = await startRedis();
  const [oldAdmin, newAdmin] = [server.client(), next.client()];
  const proxy = await startCutProxy(server.port);
  const node = openStore(proxy.port);
  const request = await ask(node);
  await newAdmin.call('REPLICAOF', '127.0.0.1', server.port);
  await until(
    'the replica has everything',
    async () => (await newAdmin.dbsize()) === (await oldAdmin.dbsize()),
  );
  await newAdmin.call('REPLICAOF', 'NO', 'ONE');
  proxy.leadTo(next.port);
  await oldAdmin.call('REPLICAOF', '127.0.0.1', next.port);

  const refused: unknown = await decide(node, request, 'denied').catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'store_unavailable' });
  expect((refused as CibaError).cause).toMatchObject({ message: expect.stringContaining('READONLY') });
  await until('the new primary decides', async () => {
    return (await decide(node, request, 'approved', 'this')).result === 'decided';
  });
  expect(await claim(node, request.handle)).toEqual({ result: 'won' });
  await node.close();
  await proxy.close();
  await next.stop();
});

test('a closed store refuses what is still asked of it, and asks nothing of the server', async () => {
  await store.close();
  await expectUnavailable();
});
