import { generateKeyPairSync } from 'node:crypto';
import { startRedis, type TestRedis } from '../spec/support/redis-server.js';
import type { ContenderKind, ContenderSpec } from './contenders/contender.js';
import type { ContenderCalls } from './contenders/main.js';
import type { LoadCalls } from './load/main.js';
import { Child } from './processes/child.js';

/** A server that takes part, in a process of its own. */
export interface Server {
  readonly port: number;
  readonly process: Child<ContenderCalls>;
}

/** What one measurement stands on; all of it ends with the measurement. */
export interface Stage {
  readonly redis: TestRedis;
  readonly load: Child<LoadCalls>;
  /** Starts a server, on the measurement's Redis where it is not told another one. */
  start(kind: ContenderKind, more?: Partial<ContenderSpec>): Promise<Server>;
  /** Ends servers before the measurement does. */
  end(servers: Iterable<Server>): Promise<void>;
  /** Another Redis server. */
  anotherRedis(): Promise<TestRedis>;
}

export async function onStage<T>(measure: (stage: Stage) => Promise<T>): Promise<T> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const load = Child.start<LoadCalls>('load/main', privateKey.export({ format: 'jwk' }));
  const assertionKey = publicKey.export({ format: 'jwk' });
  const redis = await startRedis();
  const redises = [redis];
  const running = new Set<Server>();
  const end = async (servers: Iterable<Server>): Promise<void> => {
    const ending = [...servers];
    for (const server of ending) running.delete(server);
    await Promise.all(ending.map(({ process }) => process.end()));
  };
  try {
    return await measure({
      redis,
      load,
      async start(kind, more) {
        const spec: ContenderSpec = { kind, redisPort: redis.port, assertionKey, ...more };
        const process = Child.start<ContenderCalls>('contenders/main', spec);
        const server = { process, port: await process.call('port') };
        running.add(server);
        return server;
      },
      end,
      async anotherRedis() {
        const another = await startRedis();
        redises.push(another);
        return another;
      },
    });
  } finally {
    await Promise.all([load.end(), end(running)]);
    await Promise.all(redises.map((one) => one.stop()));
  }
}
