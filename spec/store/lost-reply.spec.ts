import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { CibaError } from '../../lib/errors.js';
import { TAKEN_FOR } from '../../lib/store/outbox.js';
import { RedisStore } from '../../lib/store/redis.js';
import { openConnection } from '../../lib/store/redis-connection.js';
import { type ScriptName, scripts } from '../../lib/store/scripts.js';
import type { Guess } from '../../lib/store/store.js';
import { movingClock } from '../support/clock.js';
import { type CommandFilter, type CutProxy, callOf, callOfLua, startCutProxy } from '../support/cut-proxy.js';
import { loadScripts } from '../support/load-scripts.js';
import { startApart, startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import {
  ask,
  CALLBACK,
  claim,
  claimingPoll,
  decide,
  ending,
  INTERVAL,
  newRequest,
  places,
  poll,
} from './contract/given.js';

const ROUNDS = rounds(6, 20);

const clock = movingClock();
let server: TestRedis;
let proxy: CutProxy;
let direct: Redis;
/** Its replies get lost. */
let store: RedisStore;
/** Another node, with a line that is sound. */
let other: RedisStore;

/** A server, its lines and the nodes over them. */
async function linesTo(server: TestRedis) {
  const proxy = await startCutProxy(server.port);
  const direct = server.client();
  const prefix = randomUUID();
  const through = server.client({ port: proxy.port, lazyConnect: true });
  const store = new RedisStore(through, prefix, clock.offset, () => {});
  const other = new RedisStore(direct, prefix, clock.offset, () => {});
  await loadScripts(direct);
  // From then on a node knows whether its server runs scripts over several slots.
  for (const node of [store, other]) {
    await until('the store answers', async () => (await node.read('nothing')) === undefined);
    await node.create(newRequest());
  }
  return { server, proxy, direct, store, other };
}

type Lines = Awaited<ReturnType<typeof linesTo>>;
let whole: Lines;
/** Of a cluster: there a request is asked for and decided in several steps. */
let apart: Lines;

const use = (lines: Lines): void => {
  ({ server, proxy, direct, store, other } = lines);
};

beforeAll(async () => {
  whole = await linesTo(await startRedis());
  apart = await linesTo(await startApart());
});
beforeEach(() => {
  clock.reset();
  use(whole);
});
afterAll(async () => {
  for (const { store, other, proxy, server } of [whole, apart]) {
    await store.close();
    await other.close();
    await proxy.close();
    await server.stop();
  }
});

/** Calls, loses the reply after the command was executed, does what is to be done meanwhile, and gives what was told. */
async function losing<T>(
  picks: CommandFilter,
  call: () => Promise<T>,
  meanwhile: () => Promise<void> = async () => {},
): Promise<T> {
  const [cuts, seen] = [proxy.cuts, proxy.commands.filter(picks).length];
  const cut = proxy.cutReplyOf(picks);
  const answer = call();
  await cut;
  await meanwhile();
  const told = await answer;
  expect(proxy.cuts - cuts).toBe(1);
  expect(proxy.commands.filter(picks).length - seen).toBe(2);
  return told;
}

/**
 * So many rounds that prove something. Where the machine is too busy to connect anew within the store's deadline, the answer is
 * that it is not known, which is right and proves nothing: then once more, but not for as many rounds again.
 */
async function conclusive(rounds: number, round: () => Promise<void>): Promise<void> {
  for (let [proven, unknown] = [0, 0]; proven < rounds; ) {
    try {
      await round();
      proven += 1;
    } catch (error) {
      unknown += 1;
      if (!(error instanceof CibaError) || error.code !== 'store_unavailable' || unknown > rounds / 2)
        throw error;
      await until('the store answers again', async () => (await store.read('nothing')) === undefined);
    }
  }
}

const guessOf = (most: Guess['most']): Guess => ({
  accountId: randomUUID(),
  clientId: 'client',
  operation: randomUUID(),
  most,
  lifetime: 60_000,
});

/** Scripts that are run where the keys of a request lie apart. */
const STEPS: ReadonlySet<ScriptName> = new Set(['reserve', 'admit', 'leave', 'create', 'decide']);

/** A request is there once, whatever the reply of the script says that stores it. */
async function storedOnce(script: 'ask' | 'create'): Promise<void> {
  const request = newRequest({ limits: places(1) });
  expect(await losing(callOf(script), () => store.create(request))).toBe('created');
  expect(await other.read(request.handle)).toMatchObject({ status: 'pending' });
  expect(await other.list(request.accountId)).toHaveLength(1);
  await decide(other, request, 'denied');
  await ask(other, { accountId: request.accountId, limits: places(1) });
  const told = newRequest({ callback: CALLBACK, tellExpiry: true });
  expect(await losing(callOf(script), () => store.create(told))).toBe('created');
  const found = { state: 'waiting', attempts: 0, turn: 1, callback: CALLBACK };
  expect(await other.outbox.find(told.handle)).toMatchObject(found);
}

async function decidedOnce(script: 'conclude' | 'decide'): Promise<void> {
  const request = await ask(other, { limits: places(1) });
  const { accountId } = request;
  const told = await losing(
    callOf(script),
    () => decide(store, request, 'approved'),
    async () => {
      expect(await decide(other, request, 'denied')).toEqual({ result: 'conflict', status: 'approved' });
    },
  );
  expect(told).toEqual({ result: 'decided' });
  await ask(other, { accountId, limits: places(1) });
  const late = await losing(callOf(script), () => decide(store, request, 'cancelled'));
  expect(late).toEqual({ result: 'conflict', status: 'approved' });
}

/** A refusal counts once. */
async function leftOnce(script: 'conclude' | 'leave'): Promise<void> {
  const limits = { ...places(1), refusals: 2 };
  const request = await ask(other, { limits });
  const { accountId } = request;
  const deny = () => decide(store, request, 'denied', randomUUID(), 60_000);
  expect(await losing(callOf(script), deny)).toMatchObject({ result: 'decided' });
  // The place is free, and the refusal was counted once.
  await ask(other, { accountId, limits });
}

/** What must come out although the reply of this script was lost. */
const cases: Readonly<Record<ScriptName, () => Promise<void>>> = {
  async reserve() {
    const clientId = randomUUID();
    const limited = (client: number) => newRequest({ clientId, limits: { client, cooldown: 0 } });
    expect(await losing(callOf('reserve'), () => store.create(limited(1)))).toBe('created');
    expect(await other.create(limited(2))).toBe('created');
    expect(await losing(callOf('reserve'), () => store.create(limited(2)))).toBe('client');
  },
  async admit() {
    const request = newRequest({ limits: places(1) });
    const { accountId } = request;
    expect(await losing(callOf('admit'), () => store.create(request))).toBe('created');
    const second = newRequest({ accountId, limits: places(2) });
    expect(await other.create(second)).toBe('created');
    const third = newRequest({ accountId, limits: places(2) });
    expect(await losing(callOf('admit'), () => store.create(third))).toBe('account');
    expect(await other.list(accountId)).toHaveLength(2);
  },
  leave: () => leftOnce('leave'),
  async ask() {
    await storedOnce('ask');
    const clientId = randomUUID();
    const limited = (client: number) => newRequest({ clientId, limits: { client, cooldown: 0 } });
    expect(await losing(callOf('ask'), () => store.create(limited(1)))).toBe('created');
    expect(await other.create(limited(2))).toBe('created');
    expect(await losing(callOf('ask'), () => store.create(limited(2)))).toBe('client');
  },
  async conclude() {
    await decidedOnce('conclude');
    await leftOnce('conclude');
  },
  async block() {
    const request = newRequest();
    const { accountId, clientId } = request;
    await losing(callOf('block'), () => store.block(accountId, clientId, 60_000));
    expect(await other.create(request)).toBe('blocked');
    await other.unblock(accountId, clientId);
    expect(await other.create(request)).toBe('created');
  },
  async unblock() {
    const request = newRequest();
    const { accountId, clientId } = request;
    await other.block(accountId, clientId, 60_000);
    await losing(callOf('unblock'), () => store.unblock(accountId, clientId));
    expect(await other.create(request)).toBe('created');
  },
  async guess() {
    const guess = guessOf({ account: 2, accountAndClient: 2 });
    expect(await losing(callOf('guess'), () => store.guess(guess))).toBe(true);
    expect(await other.guess({ ...guess, operation: randomUUID() })).toBe(true);
    const third = { ...guess, operation: randomUUID() };
    expect(await losing(callOf('guess'), () => store.guess(third))).toBe(false);
  },
  async once() {
    const id = randomUUID();
    expect(await losing(callOf('once'), () => store.useOnce('spec', id, 60_000, 'first'))).toBe(true);
    expect(await losing(callOf('once'), () => store.useOnce('spec', id, 60_000, 'second'))).toBe(false);
  },
  async prompt() {
    const { handle } = await ask(other, { prompted: true });
    const found = await losing(callOf('prompt'), () => store.prompts.find(handle));
    expect(found).toMatchObject({ turn: 1, request: { handle } });
  },
  async late() {
    const { handle } = await ask(other);
    await other.prompts.schedule(handle, -4_000);
    const late = await other.prompts.late();
    expect(late).toBeGreaterThan(0);
    expect(await losing(callOf('late'), () => store.prompts.late())).toBe(late);
  },
  async advance() {
    const { handle } = await ask(other, { prompted: true });
    const first = { turn: 1, progress: 'first', delay: 30_000, operation: randomUUID() };
    const told = await losing(
      callOf('advance'),
      () => store.prompts.advance(handle, first),
      async () => {
        expect(await other.prompts.find(handle)).toMatchObject({ turn: 2, progress: 'first' });
      },
    );
    expect(told).toBe(true);
    expect(await other.prompts.find(handle)).toMatchObject({ turn: 2, progress: 'first' });
  },
  create: () => storedOnce('create'),
  async pending() {
    const { handle, accountId } = await ask(other);
    const listed = await losing(callOf('pending'), () => store.list(accountId));
    expect(listed).toMatchObject([{ handle }]);
  },
  async read() {
    const { handle, payload } = await ask(other);
    const read = await losing(callOf('read'), () => store.read(handle));
    expect(read).toMatchObject({ status: 'pending', payload });
  },
  async status() {
    const { handle } = await ask(other);
    expect(await losing(callOf('status'), () => store.statusOf(handle))).toBe('pending');
  },
  async poll() {
    const { handle } = await ask(other);
    expect(await losing(callOf('poll'), () => poll(store, handle))).toMatchObject({ result: 'pending' });
    const early = await losing(callOf('poll'), () => poll(store, handle));
    expect(early).toMatchObject({ result: 'slow_down' });
    clock.advance(INTERVAL + 5_000);
    const next = await losing(callOf('poll'), () => poll(store, handle));
    expect(next).toMatchObject({ result: 'pending' });
    clock.advance(INTERVAL + 5_000);
    expect(await poll(other, handle)).toMatchObject({ result: 'pending' });

    const approved = await ask(other);
    await decide(other, approved, 'approved');
    const told = await losing(
      callOf('poll'),
      () => claimingPoll(store, approved.handle, 'winner'),
      async () => {
        expect(await claimingPoll(other, approved.handle, 'loser')).toMatchObject({ result: 'claimed' });
      },
    );
    expect(told).toMatchObject({ result: 'approved', claimed: true });
    expect(await other.settle(approved.handle, 'winner')).toBe(true);
  },
  decide: () => decidedOnce('decide'),
  async claim() {
    const request = await ask(other);
    await decide(other, request, 'approved');
    const told = await losing(
      callOf('claim'),
      () => claim(store, request.handle, 'winner'),
      async () => {
        expect(await claim(other, request.handle, 'loser')).toMatchObject({ result: 'claimed' });
      },
    );
    expect(told).toEqual({ result: 'won' });
    const late = await losing(callOf('claim'), () => claim(store, request.handle, 'late'));
    expect(late).toMatchObject({ result: 'claimed' });
    expect(await other.settle(request.handle, 'winner')).toBe(true);
  },
  async settle() {
    const request = await ask(other);
    await decide(other, request, 'approved');
    await claim(other, request.handle, 'winner');
    const told = await losing(
      callOf('settle'),
      () => store.settle(request.handle, 'winner'),
      async () => {
        expect(await claim(other, request.handle)).toMatchObject({ result: 'claimed' });
      },
    );
    expect(told).toBe(true);
    expect(await losing(callOf('settle'), () => store.settle(request.handle, 'loser'))).toBe(false);
  },
  async answered() {
    const request = await ask(other);
    await decide(other, request, 'approved');
    await claim(other, request.handle, 'winner');
    await other.settle(request.handle, 'winner');
    const kept = { sealed: 'sealed', lifetime: 10_000 };
    await losing(callOf('answered'), () => store.keepAnswer(request.handle, 'winner', kept));
    expect(await other.answerOf(request.handle)).toBe('sealed');
  },
  async answer() {
    const request = await ask(other);
    await decide(other, request, 'approved');
    await claim(other, request.handle, 'winner');
    await other.settle(request.handle, 'winner');
    await other.keepAnswer(request.handle, 'winner', { sealed: 'sealed', lifetime: 10_000 });
    expect(await losing(callOf('answer'), () => store.answerOf(request.handle))).toBe('sealed');
  },
  async release() {
    const request = await ask(other);
    await decide(other, request, 'approved');
    await claim(other, request.handle, 'first');
    await losing(
      callOf('release'),
      () => store.release(request.handle, 'first'),
      async () => {
        expect(await claim(other, request.handle, 'second')).toEqual({ result: 'won' });
      },
    );
    expect(await other.settle(request.handle, 'second')).toBe(true);
  },
  async schedule() {
    use(whole);
    const handle = await approved();
    await losing(callOf('schedule'), () => store.outbox.schedule(handle, 10_000));
    expect(await other.outbox.due(10)).toEqual([]);
    clock.advance(10_000);
    expect(await other.outbox.due(10)).toEqual([{ handle, turn: 1 }]);
    use(apart);
    const told = newRequest({ callback: CALLBACK, tellExpiry: true });
    expect(await losing(callOf('schedule'), () => store.create(told))).toBe('created');
    expect((await other.outbox.list()).waiting).toContain(told.handle);
  },
  // What was taken by an answer that nobody heard is taken by nobody, for a while.
  async due() {
    const handle = await approved();
    await other.outbox.schedule(handle, 0);
    expect(await losing(callOf('due'), () => store.outbox.due(10))).toEqual([]);
    expect(await other.outbox.due(10)).toEqual([]);
    clock.advance(TAKEN_FOR);
    expect(await store.outbox.due(10)).toEqual([{ handle, turn: 1 }]);
  },
  async failed() {
    const handle = await approved();
    await other.outbox.leave(handle, { secrets: true, failedFor: 60_000 });
    const { failed } = await losing(callOf('failed'), () => store.outbox.list());
    expect(failed).toContain(handle);
  },
  async delivery() {
    const handle = await approved();
    const found = await losing(callOf('delivery'), () => store.outbox.find(handle));
    expect(found).toMatchObject({ request: { handle, status: 'approved' }, turn: 1, callback: CALLBACK });
  },
  async keep() {
    const handle = await approved();
    const kept = await losing(
      callOf('keep'),
      () => store.outbox.keepBody(handle, 'mine'),
      async () => {
        expect(await other.outbox.keepBody(handle, 'theirs')).toBe('mine');
      },
    );
    expect(kept).toBe('mine');
    expect(await losing(callOf('keep'), () => store.outbox.keepBody(handle, 'late'))).toBe('mine');
    // Whoever kept it must not take its tokens for useless: another process has delivered them meanwhile.
    const swift = await approved();
    const delivered = await losing(
      callOf('keep'),
      () => store.outbox.keepBody(swift, 'mine'),
      async () => {
        await other.outbox.end(swift, ending('delivered', { becomes: 'delivered' }));
        await other.outbox.leave(swift, { secrets: true });
      },
    );
    expect(delivered).toBe('mine');
    const useless = await losing(callOf('keep'), () => store.outbox.keepBody(swift, 'another'));
    expect(useless).toBeUndefined();
  },
  async postpone() {
    const handle = await approved();
    const postponement = { turn: 1, delay: 10_000, sent: true, note: 'mine' };
    const told = await losing(
      callOf('postpone'),
      () => store.outbox.postpone(handle, postponement),
      async () => {
        const theirs = { ...postponement, delay: 60_000, note: 'theirs' };
        expect(await other.outbox.postpone(handle, theirs)).toBe(true);
      },
    );
    expect(told).toBe(true);
    expect(await other.outbox.find(handle)).toMatchObject({ turn: 2, attempts: 1, note: 'mine' });
    clock.advance(10_000);
    expect(await other.outbox.due(10)).toEqual([{ handle, turn: 2 }]);
    const late = { ...postponement, turn: 7 };
    expect(await losing(callOf('postpone'), () => store.outbox.postpone(handle, late))).toBe(false);
  },
  async told() {
    const handle = await approved();
    const told = await losing(
      callOf('told'),
      () => store.outbox.end(handle, ending('delivered', { becomes: 'delivered' })),
      async () => {
        const late = ending('failed', { becomes: 'undeliverable' });
        expect(await other.outbox.end(handle, late)).toBe('delivered');
      },
    );
    expect(told).toBe('delivered');
    expect(await other.outbox.find(handle)).toMatchObject({ state: 'delivered', attempts: 1 });
    expect(await losing(callOf('told'), () => store.outbox.end(handle, ending('failed')))).toBe('delivered');
    expect(await other.read(handle)).toMatchObject({ status: 'delivered' });
  },
  async reopen() {
    const handle = await approved();
    await other.outbox.end(handle, ending('failed'));
    await other.outbox.leave(handle, { secrets: false, failedFor: 60_000 });
    const turn = await losing(
      callOf('reopen'),
      () => store.outbox.reopen(handle),
      async () => {
        expect(await other.outbox.reopen(handle)).toBe(2);
      },
    );
    expect(turn).toBe(2);
    expect(await other.outbox.find(handle)).toMatchObject({ state: 'waiting', turn: 2, attempts: 1 });
    expect((await other.outbox.list()).failed).not.toContain(handle);
    await other.outbox.end(handle, ending('delivered'));
    expect(await losing(callOf('reopen'), () => store.outbox.reopen(handle))).toBeUndefined();
  },
};

/** The handle of a request whose client is to be told of its approval, the only one that is looked at. */
async function approved(): Promise<string> {
  for (const handle of (await other.outbox.list()).waiting)
    await other.outbox.leave(handle, { secrets: true });
  const request = await ask(other, { callback: CALLBACK });
  await decide(other, request, 'approved');
  return request.handle;
}

/** Picks the calls of a command that is no script. */
const command =
  (name: string): CommandFilter =>
  ([sent]) =>
    sent?.toLowerCase() === name;

const names = Object.keys(scripts) as ScriptName[];

test.each(names)(
  'TOK-7: a lost reply of the script %s changes neither the answer nor what is stored',
  async (name) => {
    if (STEPS.has(name)) use(apart);
    await conclusive(ROUNDS, cases[name]);
  },
);

test('a lost reply while a request looks for a block, or is removed, changes nothing', async () => {
  use(apart);
  let round = 0;
  await conclusive(ROUNDS, async () => {
    round += 1;
    const request = newRequest({ limits: places(1) });
    const { handle, accountId } = request;
    expect(await losing(command('zscore'), () => store.create(request))).toBe('created');
    await losing(command(round % 2 ? 'del' : 'zrem'), () => store.remove(handle));
    expect(await other.read(handle)).toBeUndefined();
    await ask(other, { accountId, limits: places(1) });
  });
});

test('a lost reply while the outbox reads a turn, lists or is left changes nothing', async () => {
  await conclusive(ROUNDS, async () => {
    const handle = await approved();
    await other.outbox.keepBody(handle, 'body');
    await other.outbox.schedule(handle, 0);
    expect(await losing(command('hget'), () => store.outbox.due(10))).toEqual([{ handle, turn: 1 }]);
    const { waiting } = await losing(command('zrange'), () => store.outbox.list());
    expect(waiting).toEqual([handle]);
    await other.outbox.end(handle, ending('failed'));
    await losing(command('zrem'), () => store.outbox.leave(handle, { secrets: false, failedFor: 60_000 }));
    expect((await other.outbox.list()).waiting).toEqual([]);
    expect(await losing(command('zrem'), () => store.outbox.reopen(handle))).toBe(2);
    expect((await other.outbox.list()).failed).not.toContain(handle);
    await losing(command('del'), () => store.outbox.leave(handle, { secrets: true }));
    expect(await other.outbox.find(handle)).toMatchObject({ callback: undefined, body: undefined });
  });
});

test('control: a claim that does not know its own repeat tells its true winner that it lost', async () => {
  const naive = `if redis.call('HGET', KEYS[1], 'status') ~= 'approved' then return 'lost' end
    redis.call('HSET', KEYS[1], 'status', 'claimed')
    return 'won'`;
  const connection = openConnection(server.client({ port: proxy.port, lazyConnect: true })) as Redis;
  connection.defineCommand('naiveClaim', { numberOfKeys: 1, lua: naive });
  const naiveClaim = (key: string) =>
    (connection as Redis & { naiveClaim(key: string): Promise<string> }).naiveClaim(key);
  await new Promise<void>((resolve) => connection.once('ready', () => resolve()));
  let wrong = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = randomUUID();
    await direct.hset(key, 'status', 'approved');
    if ((await losing(callOfLua(naive), () => naiveClaim(key))) === 'lost') wrong += 1;
  }
  expect(wrong).toBe(ROUNDS);
  connection.disconnect();
});

function outboxSteps(handle: string): [() => Promise<unknown>, unknown][] {
  const { outbox } = store;
  return [
    [() => outbox.schedule(handle, 0), undefined],
    [() => outbox.due(1), [{ handle, turn: 1 }]],
    [() => outbox.find(handle), expect.objectContaining({ state: 'waiting' })],
    [() => outbox.keepBody(handle, 'body'), 'body'],
    [() => outbox.postpone(handle, { turn: 1, delay: 0, sent: true, note: '' }), true],
    [() => outbox.end(handle, ending('failed')), 'failed'],
    [() => outbox.leave(handle, { secrets: false, failedFor: 60_000 }), undefined],
    [() => outbox.list(), { waiting: [], failed: expect.arrayContaining([handle]) }],
    [() => outbox.reopen(handle), 3],
  ];
}

test.each(['a server', 'a server of a cluster'])(
  '%s that has forgotten every script answers every call all the same',
  async (which) => {
    if (which === 'a server of a cluster') use(apart);
    const request = await ask(store);
    const { handle } = request;
    const steps: readonly [() => Promise<unknown>, unknown][] = [
      [() => store.read(handle), expect.objectContaining({ status: 'pending' })],
      [() => poll(store, handle), expect.objectContaining({ result: 'pending' })],
      [() => decide(store, request, 'approved'), expect.objectContaining({ result: 'decided' })],
      [() => claim(store, handle, 't'), { result: 'won' }],
      [() => store.release(handle, 't'), undefined],
      [() => claim(store, handle, 'u'), { result: 'won' }],
      [() => store.settle(handle, 'u'), true],
      [() => store.create(newRequest()), 'created'],
      ...outboxSteps(await approved()),
    ];
    for (const [step, expected] of steps) {
      await direct.script('FLUSH');
      expect(await step()).toEqual(expected);
    }
  },
);
