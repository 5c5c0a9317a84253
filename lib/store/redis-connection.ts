import type { Cluster, Redis, RedisOptions } from 'ioredis';

/** An ioredis client, of a single server, a Sentinel group or a cluster. */
export type RedisClient = Redis | Cluster;

/** How long a command may take before its request is answered 503, in milliseconds. */
export const COMMAND_TIMEOUT = 1_000;

/** A demoted primary answers READONLY (before Redis 7 somewhere in the message): the next command goes to its successor. */
export function reconnectOnError(error: Error): boolean {
  return error.message.includes('READONLY');
}

/**
 * Why not the caller's own connection: ioredis' defaults keep a request waiting for more than half a minute on a dead
 * server. A command that lost its reply is sent again, which every script of ours stands.
 */
const bounded = {
  lazyConnect: false,
  enableOfflineQueue: false,
  connectTimeout: COMMAND_TIMEOUT,
  disconnectTimeout: 200,
  // A host that vanished closes nothing: without this the kernel waits a quarter of an hour for it.
  socketTimeout: 2 * COMMAND_TIMEOUT,
  maxRetriesPerRequest: 1,
  autoResendUnfulfilledCommands: true,
  stringNumbers: false,
  // What one turn has to say leaves together anyhow, and ioredis before 5.11 sorts raw scripts of a cluster by their digest in place of their keys.
  enableAutoPipelining: false,
  retryStrategy: (attempt: number): number => Math.min(25 * 2 ** attempt, 400) + Math.random() * 100,
  reconnectOnError,
} satisfies RedisOptions;

/** Opens a connection of our own to where `client` points. It is the plugin's to close. */
export function openConnection(client: RedisClient): RedisClient {
  const connection = client.isCluster
    ? (client as Cluster).duplicate([], {
        enableOfflineQueue: false,
        enableAutoPipelining: false,
        lazyConnect: false,
        clusterRetryStrategy: bounded.retryStrategy,
        redisOptions: { ...bounded, enableOfflineQueue: true },
      })
    : (client as Redis).duplicate(bounded);
  // Every failure reaches the command that met it; without a listener ioredis would print it as well.
  connection.on('error', () => {});
  // While it is down, every request under way waits for it.
  connection.setMaxListeners(0);
  return connection;
}

/** Opens a connection that hears messages. While it is down it goes on trying, and subscribes again once it is there. */
export function openSubscriber(client: RedisClient): RedisClient {
  const { retryStrategy } = bounded;
  const patient = { enableOfflineQueue: true, maxRetriesPerRequest: null, connectTimeout: COMMAND_TIMEOUT };
  const connection = client.isCluster
    ? (client as Cluster).duplicate([], {
        enableOfflineQueue: true,
        lazyConnect: false,
        clusterRetryStrategy: retryStrategy,
        shardedSubscribers: true,
        redisOptions: patient,
      })
    : (client as Redis).duplicate({ ...patient, lazyConnect: false, retryStrategy, reconnectOnError });
  connection.on('error', () => {});
  return connection;
}

/** Waits until the connection takes commands, for as long as a command may take. */
export async function whenReady(connection: RedisClient): Promise<void> {
  if (connection.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const settle = (done: () => void) => (): void => {
      clearTimeout(timer);
      connection.off('ready', ready);
      connection.off('end', ended);
      done();
    };
    const ready = settle(resolve);
    const ended = settle(() => reject(new Error('the connection to Redis was closed')));
    const timer = setTimeout(
      settle(() => reject(new Error('Redis is not reachable'))),
      COMMAND_TIMEOUT,
    );
    connection.once('ready', ready);
    connection.once('end', ended);
  });
}
