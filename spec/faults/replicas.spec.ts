import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { PushMessages } from '../../lib/delivery/push-messages.js';
import { Emitter } from '../../lib/emitter.js';
import { CibaError } from '../../lib/errors.js';
import type { StoredDelivery } from '../../lib/store/outbox.js';
import { RedisStore } from '../../lib/store/redis.js';
import type { RedisClient } from '../../lib/store/redis-connection.js';
import { slotOf } from '../../lib/store/slot.js';
import type { NewRequest } from '../../lib/store/store.js';
import { ask, CALLBACK, claim, claimingPoll, decide, newRequest } from '../store/contract/given.js';
import { patiently } from '../support/patiently.js';
import { startCluster, startRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { type ReplicaPair, startReplicaPair } from './replica-pair.js';

const REPLICAS = { acknowledge: 1, within: 100 };

let pair: ReplicaPair;
let store: RedisStore;

beforeAll(async () => {
  pair = await startReplicaPair();
});
beforeEach(() => {
  store = storeOf(pair.primary.client({ port: pair.clients.port, lazyConnect: true, keyPrefix: 'op:' }));
});
afterEach(async () => {
  pair.link.thaw();
  await store.close();
});
afterAll(() => pair.stop());

const storeOf = (client: RedisClient, within = REPLICAS.within): RedisStore =>
  new RedisStore(
    client,
    randomUUID(),
    () => 0,
    () => {},
    { replicas: { ...REPLICAS, within } },
  );

const unknown = { code: 'store_unavailable', cause: { message: '0 of 1 replicas have it' } };

/** What may not be lost, each with what comes before it and what it answers once it is kept. */
const LASTING: Readonly<Record<string, () => Promise<[step: () => Promise<unknown>, answer: unknown]>>> = {
  async decide() {
    const request = await ask(store);
    const operation = randomUUID();
    return [
      () => decide(store, request, 'approved', operation),
      expect.objectContaining({ result: 'decided' }),
    ];
  },
  async claim() {
    const request = await ask(store);
    await decide(store, request, 'approved');
    return [() => claim(store, request.handle, 'mine'), { result: 'won' }];
  },
  async settle() {
    const request = await ask(store);
    await decide(store, request, 'approved');
    await claim(store, request.handle, 'mine');
    return [() => store.settle(request.handle, 'mine'), true];
  },
  async release() {
    const request = await ask(store);
    await decide(store, request, 'approved');
    await claim(store, request.handle, 'mine');
    return [() => store.release(request.handle, 'mine'), undefined];
  },
  async 'keeping the body of a push'() {
    const request = await ask(store, { callback: CALLBACK });
    await decide(store, request, 'approved');
    return [() => store.outbox.keepBody(request.handle, 'tokens'), 'tokens'];
  },
};

test.each(Object.entries(LASTING))(
  'F17 %s counts once a replica has it, and so does its repeat, whichever connection it comes over',
  async (_name, given) => {
    const [step, answer] = await given();
    await pair.inStep();
    pair.link.freeze();
    await expect(step()).rejects.toMatchObject(unknown);
    await expect(step()).rejects.toMatchObject(unknown);
    await pair.primary.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('the connection is back', async () => {
      const error: unknown = await step().catch((failure: unknown) => failure);
      return (error as { cause?: Error }).cause?.message === unknown.cause.message;
    });
    pair.link.thaw();
    await pair.inStep();
    expect(await step()).toEqual(answer);
  },
);

test('F17 a push that an earlier turn has kept is not said before a replica has it', async () => {
  const { handle, accountId } = await ask(store, { callback: CALLBACK });
  await decide(store, newRequest({ handle, accountId }), 'approved');
  await pair.inStep();
  pair.link.freeze();
  await expect(store.outbox.keepBody(handle, 'tokens')).rejects.toMatchObject(unknown);
  const due = (await store.outbox.find(handle)) as StoredDelivery;
  expect(due.body).toBe('tokens');
  const messages = new PushMessages({ outbox: store.outbox, recipients: {} as never, events: new Emitter() });
  const message = (): Promise<unknown> => messages.of(due, {} as never, () => true);
  await expect(message()).rejects.toMatchObject(unknown);
  pair.link.thaw();
  await pair.inStep();
  expect(await message()).toEqual({ body: 'tokens' });
});

test('F17 what is asked meanwhile, and needs no replica, does not wait for one', async () => {
  const request = await ask(store);
  await decide(store, request, 'approved');
  await pair.inStep();
  pair.link.freeze();
  let over = false;
  const claiming = claim(store, request.handle).catch(() => {
    over = true;
  });
  for (let asked = 0; asked < 3; asked += 1) await ask(store);
  expect(await store.read(request.handle)).toBeDefined();
  expect(over).toBe(false);
  await claiming;
  expect(over).toBe(true);
});

test('F17 a poll, which waits for no replica, claims nothing', async () => {
  const request = await ask(store);
  await decide(store, request, 'approved');
  expect(await claimingPoll(store, request.handle)).toMatchObject({ result: 'approved', claimed: false });
  expect(await store.statusOf(request.handle)).toBe('approved');
});

test('F17 a server that forgets its scripts does not have a claim taken for kept that is not', async () => {
  const request = await ask(store);
  await decide(store, request, 'approved');
  expect(await claim(store, request.handle, 'mine')).toEqual({ result: 'won' });
  await pair.inStep();
  pair.link.freeze();
  await pair.primary.client().script('FLUSH');
  await expect(store.settle(request.handle, 'mine')).rejects.toMatchObject(unknown);
});

test('F17 many at a time are all kept', async () => {
  const requests = await Promise.all(Array.from({ length: 50 }, () => ask(store)));
  const decided = await Promise.all(requests.map((request) => decide(store, request, 'approved')));
  expect(decided.every(({ result }) => result === 'decided')).toBe(true);
});

test('F17 what nobody waits for any more, because replicas were waited for too long, is not done later', async () => {
  const requests = await Promise.all(Array.from({ length: 5 }, () => ask(store)));
  await pair.inStep();
  pair.link.freeze();
  // One after another: each comes while the one before it waits.
  const storm = Promise.allSettled(
    Array.from({ length: 40 }, async (_, index) => {
      await pause(index * 50);
      return decide(store, requests[index % 5] ?? newRequest(), 'approved');
    }),
  );
  const answers = await storm;
  expect(answers.filter(({ status }) => status === 'fulfilled')).toEqual([]);
  pair.link.thaw();
  const last = await ask(store);
  const began = performance.now();
  expect(await decide(store, last, 'approved')).toMatchObject({ result: 'decided' });
  expect(performance.now() - began).toBeLessThan(1_000);
});

test('F17 on a cluster the replicas of the node that has the request are asked, wherever its slot goes', async () => {
  const group = await startCluster();
  const replica = await startRedis({
    args: ['--cluster-enabled', 'yes', '--repl-diskless-sync', 'no', '--cluster-node-timeout', '5000'],
  });
  const wide = storeOf(group.client(), 500);
  const kept = async (request: NewRequest): Promise<NewRequest> => {
    expect(await patiently(() => wide.create(request))).toBe('created');
    return request;
  };
  try {
    const [first, second, third] = group.nodes.map((node) => node.client()) as [Redis, Redis, Redis];
    const admin = replica.client();
    const firstId = String(await first.call('CLUSTER', 'MYID'));
    await admin.call('CLUSTER', 'MEET', '127.0.0.1', group.nodes[0]?.port ?? 0);
    await until('the replica knows its primary', async () => {
      return (await admin.call('CLUSTER', 'REPLICATE', firstId)) === 'OK';
    });
    // Online it is as soon as it has been sent everything: it acknowledges nothing before it has read that.
    await until('the replica acknowledges', async () => {
      await first.publish('anything', '');
      return /state=online,offset=[1-9]/.test(await first.info('replication'));
    });
    const requests = await Promise.all(Array.from({ length: 60 }, () => kept(newRequest())));
    const decided = await Promise.all(
      requests.map(async (request) => {
        const error = await decide(wide, request, 'approved').catch((failure: CibaError) => failure);
        return error instanceof CibaError ? error.code : error.result;
      }),
    );
    const ofFirst = (await first.keys('*')).join();
    const expected = requests.map(({ handle }) =>
      ofFirst.includes(handle) ? 'decided' : 'store_unavailable',
    );
    expect(decided).toEqual(expected);
    expect(new Set(decided).size).toBe(2);

    // A slot of another node goes to the one with the replica: what is asked of it is led there.
    const moved = await freeHandle(second);
    for (const node of [first, second, third]) {
      await node.call('CLUSTER', 'SETSLOT', slotOf(`{${moved}}`), 'NODE', firstId);
    }
    const there = await kept(newRequest({ handle: moved }));
    expect(await decide(wide, there, 'approved')).toMatchObject({ result: 'decided' });
  } finally {
    await wide.close();
    await replica.stop();
    await group.stop();
  }
});

/** A handle whose key lies in a slot of this node, the second one, that has no keys. */
async function freeHandle(node: Redis): Promise<string> {
  for (;;) {
    const handle = randomUUID();
    const slot = slotOf(`{${handle}}`);
    expect(slot).toBe(await node.call('CLUSTER', 'KEYSLOT', `{${handle}}`));
    if (slot < 5_461 || slot >= 10_922) continue;
    if ((await node.call('CLUSTER', 'COUNTKEYSINSLOT', slot)) === 0) return handle;
  }
}
