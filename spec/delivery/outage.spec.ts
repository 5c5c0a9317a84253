import { afterEach, beforeEach, test } from '@jest/globals';
import { pollClient } from '../support/configuration.js';
import { startCutProxy } from '../support/cut-proxy.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { asked, type PluginServer, type PluginServerOptions, pluginServer } from '../support/server.js';
import { until } from '../support/until.js';

/** What becomes of deliveries when Redis goes, comes back, or is somebody else. */
let receiver: Receiver;
let redis: TestRedis;
let server: PluginServer;

const serve = (client: PluginServerOptions['redis']): PluginServer =>
  pluginServer({
    redis: client,
    config: {
      clients: [
        pollClient('pinged', {
          backchannel_token_delivery_mode: 'ping',
          backchannel_client_notification_endpoint: receiver.url,
        }),
      ],
    },
    hooks: { deliveryModes: ['ping'] },
    ciba: { delivery: { allowLoopback: true } },
  });

const ask = (): Promise<string> =>
  asked(server, { client_notification_token: 'token' }, { client: 'pinged' });

/** Asks, approves, and waits until the client was told of it. */
async function tell(): Promise<void> {
  const before = receiver.received.length;
  await server.approve(await ask());
  await until('the client is told', () => receiver.received.length > before, 40_000);
}

beforeEach(async () => {
  receiver = await startReceiver();
  redis = await startRedis();
});
afterEach(async () => {
  await server.close();
  await redis.stop();
  await receiver.close();
});

test('a server whose Redis is gone can be stopped', async () => {
  server = serve(redis.client());
  await tell();
  await redis.kill();
  await until('it is noticed', () => server.heard.includes('store.unavailable'));
  await server.close();
});

test('Redis that was killed and is back: what is due is told without anybody’s help [PING-7]', async () => {
  server = serve(redis.client());
  await tell();
  await redis.kill();
  await redis.restart();
  await until('the store answers', async () => (await server.ciba.requests.list('alice')).length === 0);
  await tell();
});

test('a Redis that is a replica now: what is due is told over its successor [PING-7]', async () => {
  const successor = await startRedis();
  const proxy = await startCutProxy(redis.port);
  try {
    server = serve(redis.client({ port: proxy.port }));
    await tell();
    const [demoted, promoted] = [redis.client(), successor.client()];
    await promoted.replicaof('127.0.0.1', redis.port);
    await until('the replica is there', async () =>
      /master_link_status:up/.test(await promoted.info('replication')),
    );
    await promoted.replicaof('NO', 'ONE');
    proxy.leadTo(successor.port);
    await demoted.replicaof('127.0.0.1', successor.port);
    await until('the store has found it', async () => {
      const authReqId = await ask();
      return authReqId !== '';
    });
    await tell();
  } finally {
    await server.close();
    await proxy.close();
    await successor.stop();
  }
});
