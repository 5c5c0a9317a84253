import { reasonOf } from '../lib/store/redis-health.js';
import { slotOf } from '../lib/store/slot.js';
import { pollClient } from './support/configuration.js';
import { type ClientOptions, startCluster, startRedis, type TestRedis } from './support/redis-server.js';
import { asked, type PluginServer, type PluginServerOptions, pluginServer } from './support/server.js';
import { until } from './support/until.js';

let server: PluginServer | undefined;
let redis: TestRedis | undefined;

const started = async (args: readonly string[] = [], options: ClientOptions = {}): Promise<TestRedis> => {
  redis = await startRedis({ args });
  server = pluginServer({ redis: redis.client(options) });
  return redis;
};
const health = () => (server as PluginServer).ciba.health();
const serverOf = (options: PluginServerOptions): PluginServer => {
  server = pluginServer(options);
  return server;
};

afterEach(async () => {
  redis?.resume();
  await server?.close();
  await redis?.stop();
  [server, redis] = [undefined, undefined];
});

test('in memory the store is there, until the server closes', async () => {
  const { ciba } = serverOf({});
  expect(await ciba.health()).toEqual({
    ready: true,
    closing: false,
    store: { state: 'ok', reason: undefined, latency: 0, restarts: undefined, evictionPolicy: undefined },
    deliveries: undefined,
    prompts: undefined,
    heldPolls: 0,
  });
  const closed = ciba.close();
  expect(await ciba.health()).toMatchObject({ ready: false, closing: true });
  await closed;
});

test('a Redis that answers and takes writes', async () => {
  await started();
  expect(await health()).toMatchObject({
    ready: true,
    store: { state: 'ok', restarts: 0, evictionPolicy: 'noeviction', latency: expect.any(Number) },
  });
  await (server as PluginServer).close();
  expect(await health()).toMatchObject({ ready: false, closing: true, store: { state: 'unavailable' } });
});

test('a frozen Redis is told of within its time, and so is that it goes on', async () => {
  const its = await started();
  await health();
  its.pause();
  expect(await health()).toMatchObject({ ready: false, store: { state: 'unavailable', latency: undefined } });
  its.resume();
  await until('it is ready again', async () => (await health()).ready);
  expect((await health()).store.restarts).toBe(0);
});

test('a killed Redis, and that the one that came after it is another one', async () => {
  const its = await started();
  await health();
  await its.kill();
  expect(await health()).toMatchObject({ ready: false, store: { state: 'unavailable' } });
  await its.restart();
  await until('it is ready again', async () => (await health()).ready);
  expect((await health()).store.restarts).toBe(1);
});

test('a replica answers and takes no writes', async () => {
  const its = await started();
  await health();
  const client = its.client();
  await client.replicaof('127.0.0.1', 1);
  expect(await health()).toMatchObject({ ready: false, store: { state: 'read_only', reason: 'READONLY' } });
  await client.replicaof('NO', 'ONE');
  await until('it is ready again', async () => (await health()).ready);
});

test('so does one whose memory is full; what it would do then is told before', async () => {
  const its = await started(['--maxmemory-policy', 'volatile-lru']);
  expect((await health()).store.evictionPolicy).toBe('volatile-lru');
  const client = its.client();
  await client.config('SET', 'maxmemory-policy', 'noeviction');
  await client.config('SET', 'maxmemory', '1');
  expect(await health()).toMatchObject({ ready: false, store: { state: 'read_only', reason: 'OOM' } });
});

test('who may not ask for INFO hears the rest', async () => {
  const its = await started();
  await its.client().call('ACL', 'SETUSER', 'ciba', 'on', '>pass', '~*', '&*', '+@all', '-info');
  await server?.close();
  const allowed = its.client({ username: 'ciba', password: 'pass', enableReadyCheck: false });
  serverOf({ redis: allowed });
  expect(await health()).toMatchObject({
    ready: true,
    store: { restarts: undefined, evictionPolicy: undefined },
  });
});

test('what no process takes is late', async () => {
  const channels = [{ name: 'pager', send: async () => {} }];
  const clients = [pollClient('till')];
  const { ciba } = serverOf({ config: { clients }, ciba: { channels } });
  expect((await ciba.health()).prompts).toEqual({ working: true, late: 0 });
  await ciba.close();

  redis = await startRedis();
  const options = {
    redis: redis.client(),
    config: { clients },
    ciba: { channels, delivery: { worker: false } },
  };
  const waiting = serverOf(options);
  await asked(waiting);
  expect((await waiting.ciba.health()).prompts).toEqual({ working: false, late: 0 });
  waiting.advance(20);
  expect((await waiting.ciba.health()).prompts).toEqual({ working: false, late: 1 });
});

test('of a cluster it is the node with the key of the look', async () => {
  const cluster = await startCluster();
  try {
    const { ciba } = serverOf({ redis: cluster.client() });
    await until('it is reached', async () => (await ciba.health()).ready);
    expect(await ciba.health()).toMatchObject({
      ready: true,
      store: { state: 'ok', restarts: undefined, evictionPolicy: 'noeviction' },
    });
    const node = cluster.nodes[Math.floor((slotOf('{health}') * 3) / 16_384)];
    node?.pause();
    expect(await ciba.health()).toMatchObject({ ready: false, store: { state: 'unavailable' } });
    node?.resume();
    await until('it is ready again', async () => (await ciba.health()).ready);
    await server?.close();
    server = undefined;
  } finally {
    await cluster.stop();
  }
});

test.each([
  ['READONLY', "READONLY You can't write against a read only replica."],
  [
    'READONLY',
    "ERR Error running script (call to f_0): @user_script:1: -READONLY You can't write against it.",
  ],
  [
    'OOM',
    "ERR Error running script (call to f_0): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'.",
  ],
  ['LOADING', 'LOADING Redis is loading the dataset in memory'],
])('%s is told of a script by Redis 7, and by Redis 6 in other words', (reason, message) => {
  expect(reasonOf(Object.assign(new Error(message), { name: 'ReplyError' }))).toBe(reason);
});

test('a look at a Redis that is away is no fault of the store', async () => {
  redis = await startRedis();
  const { ciba, heard } = serverOf({
    redis: redis.client(),
    hooks: { deliveryModes: ['poll', 'ping'] },
    ciba: { channels: [{ name: 'pager', send: async () => {} }], delivery: { worker: false } },
  });
  expect((await ciba.health()).deliveries).toMatchObject({ late: 0 });
  redis.pause();
  const late = { working: false, late: undefined };
  expect(await ciba.health()).toMatchObject({ ready: false, deliveries: late, prompts: late });
  expect(heard).toEqual([]);
});
