import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { handleOf } from '../../lib/request/handle.js';
import { RedisStore } from '../../lib/store/redis.js';
import { patiently } from '../support/patiently.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import { DeliveryProcess, ProcessPool, Receiver } from './delivery-processes.js';
import { TOLD } from './telling-configuration.js';

const DUE = rounds(2_000, 10_000);

let receiver: Receiver;
let receiverUrl: string;
let redis: TestRedis;
let store: RedisStore;

beforeAll(async () => {
  receiver = new Receiver();
  receiverUrl = await receiver.start();
});
beforeEach(async () => {
  receiver.told.clear();
  redis = await startRedis();
  store = new RedisStore(
    redis.client(),
    'ciba',
    () => 0,
    () => {},
  );
});
afterEach(async () => {
  await store.close();
  await redis.stop();
});
afterAll(() => receiver.stop());

const start = (): Promise<DeliveryProcess> => DeliveryProcess.start(redis.url, receiverUrl);

/** Requests of a ping client that were decided while no worker was there. */
async function duePings(): Promise<string[]> {
  const ids = Array.from({ length: DUE }, () => randomBytes(32).toString('base64url'));
  const one = async (authReqId: string): Promise<void> => {
    const handle = handleOf(authReqId);
    const request = {
      handle,
      clientId: TOLD.ping.client_id,
      accountId: randomUUID(),
      lifetime: 600_000,
      retention: 600_000,
      interval: 5_000,
      payload: JSON.stringify({ model: { scope: 'openid' }, deliveryMode: 'ping' }),
      limits: { cooldown: 0 },
      callback: JSON.stringify({ authReqId, token: 'token', endpoint: `${receiverUrl}/ping` }),
    };
    const decision = { verdict: 'approved', decision: '{}', operation: randomUUID() } as const;
    await patiently(() => store.create(request));
    await patiently(() => store.outbox.schedule(handle, 0));
    await patiently(() => store.decide({ handle, owner: request, accountId: undefined, ...decision }));
  };
  for (let from = 0; from < DUE; from += 50) await Promise.all(ids.slice(from, from + 50).map(one));
  return ids;
}

const undelivered = async (): Promise<number> => (await store.outbox.list()).waiting.length;
const lost = (ids: readonly string[]): number => ids.filter((id) => !receiver.told.has(id)).length;
const messages = (): number => [...receiver.told.values()].reduce((sum, told) => sum + told.length, 0);

test(`two workers and ${DUE} due pings: each is delivered once [PING-1, PING-7]`, async () => {
  const ids = await duePings();
  const workers = await Promise.all([start(), start()]);
  await Promise.all(workers.map((worker) => worker.work()));
  await until('nothing is due', async () => (await undelivered()) === 0, 180_000);
  await Promise.all(workers.map((worker) => worker.kill()));
  expect(lost(ids)).toBe(0);
  expect(messages()).toBe(DUE);
}, 300_000);

test(`the same with one of the two killed every second: none is lost [PING-7]`, async () => {
  const ids = await duePings();
  const pool = new ProcessPool(start, 2);
  const steady = await start();
  await steady.work();
  let kills = 0;
  while ((await undelivered()) > 0 && kills < 120) {
    const worker = await pool.next();
    await worker.work();
    const end = performance.now() + 1_000;
    await until('a second is over', () => performance.now() > end);
    await worker.kill();
    kills += 1;
  }
  await until('nothing is due', async () => (await undelivered()) === 0, 180_000);
  await steady.kill();
  await pool.stop();
  const twice = messages() - DUE;
  process.stdout.write(`${DUE} pings, ${kills} workers killed: ${twice} told twice\n`);
  expect(lost(ids)).toBe(0);
  // At most what a killed worker had under way to the one endpoint.
  expect(twice).toBeLessThanOrEqual(kills * 8);
  expect(kills).toBeGreaterThan(2);
}, 600_000);
