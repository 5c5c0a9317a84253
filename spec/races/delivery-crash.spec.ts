import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { DeliveryProcess, ProcessPool, Receiver } from './delivery-processes.js';
import type { ToldMode } from './telling-configuration.js';

/**
 * Every step that is awaited from a decision to the end of its delivery, `>` where it begins and `<` where it has ended. The first
 * spec holds the list to what really happens; the others kill the process at each of them.
 */
const STEPS: Readonly<Record<ToldMode, readonly string[]>> = { ping: [], push: [] };

/** How many processes are killed: every point once here, `npm run test:crash` does 200 and more. */
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 0);

let redis: TestRedis;
let receiver: Receiver;
let receiverUrl: string;

beforeAll(async () => {
  receiver = new Receiver();
  receiverUrl = await receiver.start();
});

afterAll(() => receiver.stop());

test.each(['ping', 'push'] as const)('record %s', async (mode) => {
  redis = await startRedis();
  const child = await DeliveryProcess.start(redis.url, receiverUrl);
  await child.work();
  const id = await child.ask(mode, randomBytes(16).toString('hex'));
  await child.decide(id, 'allow');
  await until('delivered', async () => (await child.state(id)).delivery === 'delivered');
  await new Promise((r) => setTimeout(r, 300));
  console.log(mode, child.points, receiver.told.get(id));
  await child.kill();
  await redis.stop();
});
