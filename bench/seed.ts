/**
 * Makes many requests pending. The first one is asked for at the server, as any is; the others are stored as it was, by the code that stores
 * it there, because asking for a million would take too long.
 */
import { deepStrictEqual } from 'node:assert';
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { AdapterPayload } from 'oidc-provider';
import { limitsOf } from '../lib/provider/limits.js';
import { handleOf } from '../lib/request/handle.js';
import { settingsOf } from '../lib/settings/settings.js';
import { RedisStore } from '../lib/store/redis.js';
import { plainAdapter } from './contenders/plain-adapter.js';
import { accountOf, authReqIdOf, clientOf, INTERVAL, LIFETIME } from './population.js';
import type { Server, Stage } from './stage.js';

export interface Seeding {
  readonly kind: 'secret' | 'assertion';
  readonly count: number;
  readonly redis: Redis;
  /** Whose requests they are. */
  readonly server: Server;
}

/** How many are stored at a time: with more, some would wait for longer than the store waits for Redis. */
const AT_A_TIME = 100;

const MODEL = 'BackchannelAuthenticationRequest';

/** Pending requests of the plugin. */
export async function seedPlugin({ load }: Stage, { kind, count, redis, server }: Seeding): Promise<void> {
  const first = handleOf(await load.call('firstRequest', { port: server.port, kind, person: count }));
  const settings = settingsOf({});
  await onStore(redis, async (store) => {
    const pattern = await store.read(first);
    if (!pattern) throw new Error('the first request is not there');
    await forEach(count, async (number) => {
      const stored = await store.create({
        handle: handleOf(authReqIdOf(number)),
        clientId: clientOf(kind, number),
        accountId: accountOf(number),
        lifetime: LIFETIME * 1000,
        retention: settings.retention * 1000,
        interval: INTERVAL * 1000,
        payload: pattern.payload,
        limits: limitsOf(settings),
      });
      if (stored !== 'created') throw new Error(`not stored: ${stored}`);
    });
  });
  deepStrictEqual(await fieldsOf(redis, handleOf(authReqIdOf(0))), await fieldsOf(redis, first));
}

/** One poll of each of them, as the server polls. */
export async function pollAll(kind: Seeding['kind'], count: number, redis: Redis): Promise<void> {
  await onStore(redis, (store) =>
    forEach(count, async (number) => {
      const [handle, clientId] = [handleOf(authReqIdOf(number)), clientOf(kind, number)];
      const { result } = await store.poll({ handle, clientId, operation: randomUUID() });
      if (result !== 'pending') throw new Error(`not pending: ${result}`);
    }),
  );
}

/** Pending requests of oidc-provider alone. */
export async function seedNative({ load }: Stage, { kind, count, redis, server }: Seeding): Promise<void> {
  const first = await load.call('firstRequest', { port: server.port, kind, person: count });
  const adapter = plainAdapter(redis)(MODEL);
  const pattern = (await adapter.find(first)) as AdapterPayload;
  await forEach(count, async (number) => {
    const [jti, clientId] = [authReqIdOf(number), clientOf(kind, number)];
    await adapter.upsert(jti, { ...pattern, jti, clientId, accountId: accountOf(number) }, LIFETIME);
  });
}

async function onStore(redis: Redis, work: (store: RedisStore) => Promise<void>): Promise<void> {
  const store = new RedisStore(
    redis,
    'ciba',
    () => 0,
    () => {},
  );
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

async function forEach(count: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
}

/** The fields of a stored request. */
async function fieldsOf(redis: Redis, handle: string): Promise<string[]> {
  return (await redis.hkeys(`ciba:{${handle}}`)).sort();
}
