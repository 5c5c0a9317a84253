import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { pollClient } from '../support/configuration.js';
import { type Receiver, startReceiver, status } from '../support/receiver.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { asked, type PluginServer, pluginServer } from '../support/server.js';
import { until } from '../support/until.js';

/** Jobs that no version of the package has made, in the queue of its deliveries. */

const EACH = rounds(3, 30);

/** As the package adds its own: tried again until it is done. */
const OPTIONS = {
  attempts: 1_000_000,
  backoff: { type: 'fixed', delay: 1_000 },
  removeOnComplete: true,
  removeOnFail: true,
};

const POISON: readonly (readonly [string, unknown])[] = [
  ['nothing', {}],
  ['null', null],
  ['a text', 'poison'],
  ['a number', 42],
  ['a list', [1, 2, 3]],
  ['a handle of nobody', { handle: 'nobody', turn: 1 }],
  ['a handle that is none', { handle: { $ne: 1 }, turn: 1 }],
  ['a handle that is far too long', { handle: 'x'.repeat(100_000), turn: 1 }],
  ['a turn that is none', { handle: 'nobody', turn: 'first' }],
  ['another version', { version: 99, request: 'nobody', attempt: 1 }],
];

let redis: TestRedis;
let receiver: Receiver;
let server: PluginServer;
let queue: Queue;

beforeEach(async () => {
  [redis, receiver] = await Promise.all([startRedis(), startReceiver()]);
  receiver.answer(status(204));
  server = pluginServer({
    redis: redis.client(),
    hooks: { deliveryModes: ['ping'] },
    config: {
      clients: [
        pollClient('pinged', {
          backchannel_token_delivery_mode: 'ping',
          backchannel_client_notification_endpoint: receiver.url,
        }),
      ],
    },
    ciba: { limits: false, delivery: { allowLoopback: true } },
  });
  queue = new Queue('deliveries', {
    connection: redis.client({ maxRetriesPerRequest: null }) as never,
    prefix: `{${server.prefix}}`,
  });
});
afterEach(async () => {
  await queue.close();
  await server.close();
  await receiver.close();
  await redis.stop();
});

test(`[F41] ${POISON.length * EACH} poisoned jobs: the others flow, none stays for ever, and the process lives`, async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    for (let time = 0; time < EACH; time += 1) {
      for (const [, data] of POISON) await queue.add('delivery', data, OPTIONS);
    }
    for (let time = 0; time < EACH; time += 1) {
      const id = await asked(server, { client_notification_token: 'token' }, { client: 'pinged' });
      await server.approve(id);
    }
    await until('those between them have arrived', () => receiver.received.length >= EACH, 30_000);
    expect(receiver.received.length).toBe(EACH);
    // None is left that would be tried again and again.
    await until('all are gone', async () => {
      const left = await queue.getJobCounts('failed', 'delayed', 'waiting', 'active');
      return Object.values(left).every((count) => count === 0);
    });
    const id = await asked(server, { client_notification_token: 'token' }, { client: 'pinged' });
    await server.approve(id);
    await until('one more has arrived', () => receiver.received.length === EACH + 1, 30_000);
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
}, 300_000);
