import { newOperation } from '../../lib/store/operation.js';
import { RedisStore, type RedisStoreOptions } from '../../lib/store/redis.js';
import { until } from '../../spec/support/until.js';
import type { Found } from '../figures.js';
import type { Sizes } from '../sizes.js';
import type { Stage } from '../stage.js';
import { median } from '../statistics.js';

/** How long a replica is waited for, in milliseconds. */
const WITHIN = 500;

const LIFETIME = 600_000;

/** How long a store takes to keep a decision, by itself and where a replica has to have it. They take turns. */
export async function waitingForReplicas(stage: Stage, { approvals: count }: Sizes): Promise<Found> {
  const redis = stage.redis.client();
  const replica = await stage.anotherRedis();
  await replica.client().replicaof('127.0.0.1', stage.redis.port);
  await until('the replica hears', async () => (await redis.wait(1, 100)) === 1);
  const storeWith = (options: RedisStoreOptions): RedisStore =>
    new RedisStore(
      redis,
      'ciba',
      () => 0,
      () => {},
      options,
    );
  const stores = {
    alone: storeWith({}),
    withReplica: storeWith({ replicas: { acknowledge: 1, within: WITHIN } }),
  };
  const times = { alone: [] as number[], withReplica: [] as number[] };
  try {
    for (let number = 0; number < count; number += 1) {
      for (const name of ['alone', 'withReplica'] as const) {
        const handle = `${name}-${number}`;
        const accountId = `person-${handle}`;
        await stores[name].create({
          handle,
          clientId: 'client',
          accountId,
          lifetime: LIFETIME,
          retention: LIFETIME,
          interval: 5_000,
          payload: '{}',
          limits: { cooldown: 0 },
        });
        const attempt = {
          handle,
          owner: { clientId: 'client', accountId },
          accountId,
          verdict: 'approved',
          decision: '{}',
          operation: newOperation(),
        } as const;
        const began = performance.now();
        const { result } = await stores[name].decide(attempt);
        times[name].push(performance.now() - began);
        if (result !== 'decided') throw new Error(`a decision was answered ${result}`);
      }
    }
  } finally {
    await Promise.all(Object.values(stores).map((store) => store.close()));
  }
  return { decisionAlone: median(times.alone), decisionWithReplica: median(times.withReplica) };
}
