import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { RedisStore } from '../../lib/store/redis.js';
import type { NewRequest } from '../../lib/store/store.js';
import { CALLBACK, claim, decide, ending, newRequest, poll } from '../store/contract/given.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { requestAt } from '../support/resp.js';
import { rounds } from '../support/rounds.js';
import { asked, pluginServer, poll as pollFor } from '../support/server.js';
import { until } from '../support/until.js';

const openStore = (client: Redis, prefix: string): RedisStore =>
  new RedisStore(
    client,
    prefix,
    () => 0,
    () => {},
  );

test('F14 a Redis that comes back empty: what it held is unknown, nothing is approved by it, and all goes on', async () => {
  const ROUNDS = rounds(3, 50);
  const redis = await startRedis();
  const server = pluginServer({ redis: redis.client({ lazyConnect: true }) });
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const [pending, approved, denied] = [await asked(server), await asked(server), await asked(server)];
      await server.approve(approved);
      await server.deny(denied);
      const issued = server.store.count('AccessToken');
      await redis.kill();
      await redis.restart();
      await until('the store answers', async () => (await server.ciba.requests.list('alice')).length === 0);
      for (const id of [pending, approved, denied]) {
        const { status, body } = await pollFor(server, id);
        expect({ status, error: body.error }).toEqual({ status: 400, error: 'invalid_grant' });
        await expect(server.approve(id)).rejects.toMatchObject({ code: 'not_found' });
      }
      expect(server.store.count('AccessToken')).toBe(issued);
      const fresh = await asked(server);
      await server.approve(fresh);
      expect((await pollFor(server, fresh)).status).toBe(200);
    }
  } finally {
    await server.close();
    await redis.stop();
  }
});

/** What was told of a request, of which nothing may be lost. */
interface Told {
  readonly request: NewRequest;
  stands: 'pending' | 'approved' | 'denied' | 'claimed' | 'redeemed';
}

/** Takes a request some way, and writes down what it was told of each step once it was told. */
async function goAWay(store: RedisStore, told: Told[], way: number): Promise<void> {
  const request = newRequest();
  await store.create(request);
  const one: Told = { request, stands: 'pending' };
  told.push(one);
  if (way === 0) return;
  if (way === 1) {
    await decide(store, request, 'denied');
    one.stands = 'denied';
    return;
  }
  await decide(store, request, 'approved');
  one.stands = 'approved';
  if (way === 2) return;
  await claim(store, request.handle, 'mine');
  one.stands = 'claimed';
  if (way === 3) return;
  await store.settle(request.handle, 'mine');
  one.stands = 'redeemed';
}

const ORDER = ['pending', 'approved', 'claimed', 'redeemed'];

/** Whether a request has come at least as far as was told. A claim ends by itself, and so is an approval again. */
function isKept({ stands }: Told, status: string | undefined): boolean {
  if (status === undefined) return false;
  if (stands === 'denied') return status === 'denied';
  if (stands === 'claimed' && status === 'approved') return true;
  if (stands === 'pending') return true;
  return ORDER.indexOf(status) >= ORDER.indexOf(stands);
}

/** Kills a server under load, and says what of that which was told it has lost when it is back, and how much was told. */
async function killUnderLoad(
  redis: TestRedis,
  store: RedisStore,
): Promise<{ told: number; lost: unknown[] }> {
  const told: Told[] = [];
  let over = false;
  const workers = Array.from({ length: 8 }, async (_, worker) => {
    for (let index = worker; !over; index += 1) await goAWay(store, told, index % 5).catch(() => {});
  });
  await until('enough was told', () => told.length > 150);
  await redis.kill();
  over = true;
  await Promise.all(workers);
  await redis.restart();
  await until('the store answers', async () => (await store.read('nothing')) === undefined);
  const lost: unknown[] = [];
  for (const one of told) {
    const found = await store.read(one.request.handle);
    if (!isKept(one, found?.status)) lost.push({ ...one, found: found?.status });
  }
  return { told: told.length, lost };
}

test.each(['always', 'everysec'])(
  'F15 a Redis that is killed under load (appendfsync %s) has all that it has told',
  async (fsync) => {
    const ROUNDS = rounds(2, 25);
    const redis = await startRedis({ durable: true });
    await redis.client().config('SET', 'appendfsync', fsync);
    const store = openStore(redis.client({ lazyConnect: true }), randomUUID());
    let told = 0;
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const killed = await killUnderLoad(redis, store);
        expect(killed.lost).toEqual([]);
        told += killed.told;
      }
      if (process.env['LONG'] === '1') process.stdout.write(`F15 ${fsync}: ${told} requests\n`);
    } finally {
      await store.close();
      await redis.stop();
    }
  },
  600_000,
);

test('F15 control: one that keeps nothing has lost it, and that is seen', async () => {
  const redis = await startRedis();
  const store = openStore(redis.client({ lazyConnect: true }), randomUUID());
  try {
    const { told, lost } = await killUnderLoad(redis, store);
    expect(lost).toHaveLength(told);
  } finally {
    await store.close();
    await redis.stop();
  }
});

/** The append-only files of a server, and where each of their commands begins. */
function boundariesOf(file: Buffer): number[] {
  const ends = [0];
  let [at, open] = [0, false];
  while (at < file.length) {
    // An annotation of the time is a line that begins with #.
    if (file[at] === '#'.charCodeAt(0)) {
      at = file.indexOf('\r\n', at) + 2;
      continue;
    }
    const found = requestAt(file, at);
    if (!found) break;
    const [name = ''] = found.command;
    if (name.toUpperCase() === 'MULTI') open = true;
    if (name.toUpperCase() === 'EXEC') open = false;
    at = found.end;
    if (!open) ends.push(at);
  }
  return ends;
}

test('F16 a log that was cut at any of its commands restores a state that was, from which all goes on', async () => {
  const REQUESTS = rounds(3, 12);
  const folder = await mkdtemp(join(tmpdir(), 'ciba-log-'));
  const prefix = randomUUID();
  const recorder = await startRedis({
    args: ['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always', '--appenddirname', 'log'],
  });
  const all: NewRequest[] = [];
  const approved = new Set<string>();
  {
    const store = openStore(recorder.client({ lazyConnect: true }), prefix);
    for (let index = 0; index < REQUESTS; index += 1) {
      for (let way = 0; way < 6; way += 1) {
        const request = newRequest({
          callback: way > 3 ? CALLBACK : undefined,
          limits: { account: 5, cooldown: 60_000 },
        });
        const { handle } = request;
        all.push(request);
        await store.create(request);
        await poll(store, handle);
        if (way === 0) continue;
        await decide(store, request, way === 1 ? 'denied' : 'approved', randomUUID(), 60_000);
        if (way > 1) approved.add(handle);
        if (way === 3) {
          await claim(store, handle, 'mine');
          await store.settle(handle, 'mine');
        }
        if (way > 3) {
          await store.outbox.schedule(handle, 0);
          await store.outbox.keepBody(handle, 'body');
          await store.outbox.end(handle, ending(way === 4 ? 'delivered' : 'failed'));
          await store.outbox.leave(handle, { secrets: true });
        }
      }
    }
    await store.close();
  }
  await recorder.kill();
  const log = join(folder, 'log');
  const name = (await readdir(log)).find((file) => file.endsWith('.incr.aof')) ?? '';
  const whole = await readFile(join(log, name));
  const boundaries = boundariesOf(whole);
  const replayed = await startRedis();
  const admin = replayed.client();
  const store = openStore(replayed.client({ lazyConnect: true }), prefix);
  try {
    expect(boundaries.length).toBeGreaterThan(REQUESTS * 6 * 3);
    expect(boundaries.at(-1)).toBe(whole.length);
    // The commands of the log, one by one, are every prefix of it.
    let before = new Map<string, string>();
    for (const [index, end] of boundaries.entries()) {
      const start = boundaries[index - 1] ?? 0;
      for (let at = start; at < end; ) {
        if (whole[at] === '#'.charCodeAt(0)) {
          at = whole.indexOf('\r\n', at) + 2;
          continue;
        }
        const found = requestAt(whole, at);
        if (!found) break;
        const [command = '', ...args] = found.command;
        if (!/^(SELECT|MULTI|EXEC)$/i.test(command)) await admin.call(command, ...args);
        at = found.end;
      }
      const states = new Map<string, string>();
      for (const { handle } of all) {
        const found = await store.read(handle);
        if (!found) continue;
        states.set(handle, found.status);
        // What was never approved cannot be claimed, at any point.
        if (!approved.has(handle)) expect(['pending', 'denied']).toContain(found.status);
        expect(found.payload).toBe('{}');
      }
      // A state that was: it never goes back while the log goes on.
      for (const [handle, status] of before) {
        const now = states.get(handle);
        expect(now).toBeDefined();
        if (status !== 'pending') expect(now).not.toBe('pending');
      }
      before = states;
      const lives = await Promise.all((await admin.keys('*')).map((key) => admin.pttl(key)));
      expect(lives.filter((life) => life === -1)).toEqual([]);
      expect(await store.outbox.list()).toBeDefined();
    }
    // From where it was cut in the middle of a command, a server starts as from the command before.
    const cut = (boundaries.at(-2) ?? 0) + 5;
    await writeFile(join(log, name), whole);
    await truncate(join(log, name), cut);
    const again = await startRedis({
      args: ['--dir', folder, '--appendonly', 'yes', '--appenddirname', 'log', '--aof-load-truncated', 'yes'],
    });
    const restored = openStore(again.client({ lazyConnect: true }), prefix);
    const rest = all.filter(({ handle }) => approved.has(handle)).at(-1) as NewRequest;
    expect(await restored.read(rest.handle)).toMatchObject({ status: 'approved' });
    expect(await claim(restored, rest.handle, 'later')).toEqual({ result: 'won' });
    expect(await restored.settle(rest.handle, 'later')).toBe(true);
    await restored.close();
    await again.stop();
  } finally {
    await store.close();
    await replayed.stop();
    await recorder.stop();
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
