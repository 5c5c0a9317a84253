import { randomBytes, randomUUID } from 'node:crypto';
import { MemoryStore } from '../../lib/store/memory.js';
import { RedisStore, type RedisStoreOptions } from '../../lib/store/redis.js';
import type { RedisClient } from '../../lib/store/redis-connection.js';
import type { Store } from '../../lib/store/store.js';
import { documentedRules, makeUser } from '../support/acl.js';
import { stopTime } from '../support/clock.js';
import { startCluster, startRedis } from '../support/redis-server.js';

/** A place that a store can live in. */
export interface Home {
  readonly name: string;
  /** How near to a moment the store's clock can be held, in milliseconds. */
  readonly tick: number;
  open(): Promise<OpenHome>;
}

export interface OpenHome {
  /** A node of a server group over one set of requests; its time is moved by `timeOffset`. */
  node(timeOffset: () => number): Store;
  close(): Promise<void>;
}

export const memory: Home = {
  name: 'in memory',
  tick: 1,
  async open() {
    const letGo = stopTime();
    let only: Store | undefined;
    return {
      // One process has one store, so its nodes are one.
      node(timeOffset) {
        only ??= new MemoryStore(timeOffset);
        return only;
      },
      async close() {
        await only?.close();
        letGo();
      },
    };
  },
};

export const redis: Home = {
  name: 'in Redis',
  tick: 2_000,
  async open() {
    const server = await startRedis();
    return overRedis(server.client(), server.stop);
  },
};

export const encrypted: Home = {
  name: 'in Redis, encrypted',
  tick: 2_000,
  async open() {
    const server = await startRedis();
    return overRedis(server.client(), server.stop, { keys: [randomBytes(32)] });
  },
};

export const documentedUser: Home = {
  name: 'in Redis, as the user of the document',
  tick: 2_000,
  async open() {
    const server = await startRedis();
    const { poll, telling } = documentedRules();
    await makeUser(server.client(), 'ciba', [...poll, ...telling]);
    return overRedis(server.client({ username: 'ciba', password: 'ciba' }), server.stop, {}, 'ciba');
  },
};

export const cluster: Home = {
  name: 'in a Redis Cluster',
  tick: 2_000,
  async open() {
    const group = await startCluster();
    return overRedis(group.client(), group.stop);
  },
};

function overRedis(
  client: RedisClient,
  stop: () => Promise<void>,
  options: RedisStoreOptions = {},
  prefix: string = `spec-${randomUUID()}`,
): OpenHome {
  const nodes: Store[] = [];
  return {
    node(timeOffset) {
      const node = new RedisStore(client, prefix, timeOffset, () => {}, options);
      nodes.push(node);
      return node;
    },
    async close() {
      for (const node of nodes) await node.close();
      await stop();
    },
  };
}
