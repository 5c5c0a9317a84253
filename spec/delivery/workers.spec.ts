import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { ClientMetadata } from 'oidc-provider';
import { CibaError, type DeliveryOptions, type RedisClient } from 'oidc-provider-ciba';
import { BullmqQueue } from '../../lib/delivery/bullmq-queue.js';
import { MemoryQueue } from '../../lib/delivery/memory-queue.js';
import type { DeliveryQueue } from '../../lib/delivery/queue.js';
import { pollClient } from '../support/configuration.js';
import { type Receiver, type Script, startReceiver, status } from '../support/receiver.js';
import {
  type ClientOptions,
  startCluster,
  startRedis,
  type TestCluster,
  type TestRedis,
} from '../support/redis-server.js';
import { asked, type PluginServer, type PluginServerOptions, pluginServer } from '../support/server.js';
import { until } from '../support/until.js';

let redis: TestRedis;
let receiver: Receiver;
const open: PluginServer[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
  await receiver.close();
});
afterAll(() => redis.stop());

/** A server whose clients are told at the receiver. */
function serve({ ciba, config, ...more }: PluginServerOptions = {}): PluginServer {
  const told = (id: string, mode: string): ClientMetadata =>
    pollClient(id, {
      backchannel_token_delivery_mode: mode as 'ping',
      backchannel_client_notification_endpoint: receiver.url,
    });
  const server = pluginServer({
    hooks: { deliveryModes: ['ping', 'push'] },
    config: { clients: [told('pinged', 'ping'), told('pushed', 'push')], ...config },
    ...more,
    ciba: { limits: false, ...ciba, delivery: { allowLoopback: true, ...ciba?.delivery } },
  });
  open.push(server);
  return server;
}

/** Another process of the servers that this one belongs to; it works when it is told to. */
function beside(
  { prefix, store }: PluginServer,
  delivery: DeliveryOptions = { worker: false },
): PluginServer {
  return serve({ redis: redis.client(), config: { adapter: store.adapter }, ciba: { prefix, delivery } });
}

const askedBy = (server: PluginServer, client: string): Promise<string> =>
  asked(server, { client_notification_token: randomBytes(16).toString('base64url') }, { client });
async function decided(server: PluginServer, client = 'pinged'): Promise<string> {
  const authReqId = await askedBy(server, client);
  await server.approve(authReqId);
  return authReqId;
}
const stateOf = async (server: PluginServer, authReqId: string): Promise<string | undefined> =>
  (await server.ciba.deliveries.get(server.ciba.requests.handleOf(authReqId)))?.state;
/** The event comes last: whoever has it has written everything down. */
const delivered = ({ ciba }: PluginServer, authReqId: string): Promise<void> =>
  until('it is delivered', () => {
    const handle = ciba.requests.handleOf(authReqId);
    const events = open.flatMap((each) => each.events);
    return events.some(({ name, event }) => name === 'delivery.delivered' && event.handle === handle);
  });
const deliveriesOf = ({ heard }: PluginServer): string[] =>
  heard.filter((name) => name.startsWith('delivery.'));
const received = (): string[] => receiver.received.map(({ body }) => JSON.parse(body).auth_req_id);

/** Answers 204 when it is let go. */
function held(): { readonly script: Script; letGo(): void } {
  let letGo = (): void => {};
  const free = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const script: Script = async (response) => {
    await free;
    response.writeHead(204).end();
  };
  return { script, letGo };
}

describe('a server that does not deliver by itself', () => {
  test.each(['pinged', 'pushed'])('leaves it to a worker: %s', async (client) => {
    const server = serve({ redis: redis.client(), ciba: { delivery: { worker: false } } });
    const worker = beside(server);
    const authReqId = await decided(server, client);
    expect(await stateOf(server, authReqId)).toBe('waiting');
    expect(receiver.connections).toBe(0);
    worker.ciba.worker(worker.provider);
    await delivered(server, authReqId);
    expect([deliveriesOf(server), deliveriesOf(worker)]).toEqual([[], ['delivery.delivered']]);
    expect(received()).toEqual([authReqId]);
  });

  test('leaves it to a worker that finds the queue emptied', async () => {
    const server = serve({ redis: redis.client(), ciba: { delivery: { worker: false } } });
    const authReqIds = [await decided(server, 'pinged'), await decided(server, 'pushed')];
    const client = redis.client();
    const jobs = `{${server.prefix}}:*`;
    await until('the jobs are there', async () => (await client.keys(jobs)).length >= authReqIds.length);
    await client.del(await client.keys(jobs));
    const worker = beside(server);
    worker.ciba.worker(worker.provider);
    for (const authReqId of authReqIds) await delivered(server, authReqId);
    expect(received().sort()).toEqual([...authReqIds].sort());
  });

  test('may not have its requests in memory, where no other process finds them', () => {
    const start = (): unknown => serve({ ciba: { delivery: { worker: false } } });
    expect(start).toThrow(CibaError);
    expect(start).toThrow('delivery.worker must be true where requests live in memory');
  });

  test('may have them in memory where all of its clients poll', () => {
    expect(() => serve({ hooks: {}, ciba: { delivery: { worker: false } } })).not.toThrow();
  });
});

describe.each(['worker.close()', 'ciba.close()'])('%s', (what) => {
  let server: PluginServer;
  let first: PluginServer;
  let close: () => Promise<void>;

  beforeEach(() => {
    server = serve({ redis: redis.client(), ciba: { delivery: { worker: false } } });
    first = beside(server);
    const worker = first.ciba.worker(first.provider);
    close = what === 'ciba.close()' ? () => first.ciba.close() : () => worker.close();
  });

  test.each(['pinged', 'pushed'])(
    'waits for the client that is being told, writes it down, and takes no more: %s',
    async (client) => {
      const { script, letGo } = held();
      receiver.answer(script, status(204));
      const running = await decided(server, client);
      await until('it is there', () => receiver.received.length === 1);
      let closed = false;
      const closing = close().then(() => {
        closed = true;
      });
      // Steps over the same Redis, in which a close that waits for nobody would be through.
      const left = await decided(server, client);
      expect(closed).toBe(false);
      letGo();
      await closing;
      expect([await stateOf(server, running), await stateOf(server, left)]).toEqual(['delivered', 'waiting']);

      const second = beside(server);
      second.ciba.worker(second.provider);
      await delivered(server, left);
      expect([deliveriesOf(first), deliveriesOf(second)]).toEqual([
        ['delivery.delivered'],
        ['delivery.delivered'],
      ]);
      expect(received()).toEqual([running, left]);
    },
  );

  test('may be called again', async () => {
    await Promise.all([close(), close()]);
    await close();
  });
});

describe.each([
  ['memory', () => new MemoryQueue()],
  ['BullMQ', () => new BullmqQueue(redis.client(), `spec:${randomUUID()}`, () => {})],
])('a queue on %s', (_what, make: () => DeliveryQueue) => {
  test('does a job once that is added again and again, before it is begun and while it runs', async () => {
    const queue = make();
    const begun: string[] = [];
    let letGo = (): void => {};
    const free = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const add = () => Promise.all([1, 2, 3].map(() => queue.add('one', 1)));
    await add();
    await queue.work(async (handle, turn) => {
      begun.push(`${handle}.${turn}`);
      await free;
      return 'done';
    });
    await until('it runs', () => begun.length > 0);
    await add();
    await queue.add('one', 2);
    await until('the next turn runs', () => begun.includes('one.2'));
    letGo();
    await queue.close();
    expect(begun).toEqual(['one.1', 'one.2']);
  });
});

test('of two workers one tells the client of each decision', async () => {
  const server = serve({ redis: redis.client() });
  const other = beside(server, { worker: true });
  const authReqIds = await Promise.all(
    Array.from({ length: 10 }, (_, index) => decided(index % 2 ? server : other, 'pushed')),
  );
  for (const authReqId of authReqIds) await delivered(server, authReqId);
  expect(received().sort()).toEqual([...authReqIds].sort());
  expect([...deliveriesOf(server), ...deliveriesOf(other)]).toEqual(Array(10).fill('delivery.delivered'));
});

describe('the Redis client that is given', () => {
  const GIVEN: readonly (readonly [what: string, options: ClientOptions])[] = [
    ['a keyPrefix', { keyPrefix: 'app:' }],
    ['a commandTimeout', { commandTimeout: 2_000 }],
    ['lazyConnect', { lazyConnect: true }],
    ['maxRetriesPerRequest 1', { maxRetriesPerRequest: 1 }],
  ];

  test.each(GIVEN)('may have %s', async (_what, options) => {
    const server = serve({ redis: redis.client(options) });
    for (const client of ['pinged', 'pushed']) await delivered(server, await decided(server, client));
    expect(server.heard).not.toContain('store.unavailable');
  });

  test('may have a commandTimeout that is shorter than a worker waits for a job', async () => {
    const server = serve({ redis: redis.client({ commandTimeout: 2_000 }) });
    await delivered(server, await decided(server));
    await until('a worker has waited for longer', async () =>
      (await connections(redis)).some(
        (each) => / cmd=bzpopmin /.test(each) && Number(/ idle=(\d+)/.exec(each)?.[1]) > 2,
      ),
    );
    await delivered(server, await decided(server));
    expect(server.heard).not.toContain('store.unavailable');
  });

  test('may have a keyPrefix that keeps two servers of one prefix apart', async () => {
    const prefix = `spec:${randomUUID()}`;
    const servers = ['one:', 'two:'].map((keyPrefix) =>
      serve({ redis: redis.client({ keyPrefix }), ciba: { prefix } }),
    );
    const told = await Promise.all(
      servers.flatMap((server) =>
        Array.from({ length: 5 }, async () => ({ server, authReqId: await decided(server) })),
      ),
    );
    for (const { server, authReqId } of told) await delivered(server, authReqId);
    expect(servers.map((server) => deliveriesOf(server).length)).toEqual([5, 5]);
  });
});

const observers = new Map<number, Redis>();

/** The connections that Redis servers have now, as they describe them, without the one that asks. */
async function connections(...servers: readonly TestRedis[]): Promise<string[]> {
  const lists = servers.map(async ({ port, client }) => {
    const observer = observers.get(port) ?? client();
    observers.set(port, observer);
    const list = String(await observer.client('LIST'));
    return list.split('\n').map((line) => `${port} ${line}`);
  });
  const lines = (await Promise.all(lists)).flat();
  return lines.filter((line) => / id=/.test(line) && !/ cmd=client\|list /.test(line));
}

/** Those of them that were not there before. */
async function openedSince(before: readonly string[], ...servers: readonly TestRedis[]): Promise<string[]> {
  const nameOf = (line: string): string => line.split(' addr=')[0] ?? '';
  const known = new Set(before.map(nameOf));
  return (await connections(...servers)).filter((line) => !known.has(nameOf(line)));
}

/** What is closed after its work, and how many connections that needs at least. */
const ENDS: readonly {
  readonly when: string;
  readonly least: number;
  work(server: PluginServer): Promise<unknown>;
}[] = [
  {
    when: 'when it has told clients',
    least: 3,
    async work(server) {
      for (const client of ['pinged', 'pushed']) await delivered(server, await decided(server, client));
    },
  },
  { when: 'as soon as it has started', least: 0, work: async () => {} },
  { when: 'with a decision that was made just now', least: 1, work: (server) => decided(server) },
];

async function expectAllClosed(
  given: RedisClient,
  servers: readonly TestRedis[],
  { least, work }: (typeof ENDS)[number],
): Promise<void> {
  await given.set('a key', 'of somebody else');
  const before = await connections(...servers);
  const server = serve({ redis: given });
  await work(server);
  expect((await openedSince(before, ...servers)).length).toBeGreaterThanOrEqual(least);
  await server.ciba.close();
  await until('they are closed', async () => (await openedSince(before, ...servers)).length === 0);
  expect(await given.get('a key')).toBe('of somebody else');
}

describe('what the plugin has opened is closed with it, and nothing else', () => {
  test.each(ENDS)('on one Redis server, $when', async (end) => {
    await expectAllClosed(redis.client(), [redis], end);
  });
});

describe('on a Redis Cluster', () => {
  let cluster: TestCluster;
  let given: RedisClient;

  beforeAll(async () => {
    cluster = await startCluster();
    given = cluster.client();
  });
  afterAll(() => cluster.stop());

  test.each(['pinged', 'pushed'])('a client is told through BullMQ: %s', async (client) => {
    const server = serve({ redis: given });
    const authReqIds = await Promise.all([1, 2, 3, 4, 5, 6].map(() => decided(server, client)));
    for (const authReqId of authReqIds) await delivered(server, authReqId);
    expect(received().sort()).toEqual([...authReqIds].sort());
    expect(server.heard).not.toContain('store.unavailable');
  });

  test.each(ENDS)('what the plugin has opened is closed with it, $when', async (end) => {
    await expectAllClosed(given, cluster.nodes, end);
  });
});
