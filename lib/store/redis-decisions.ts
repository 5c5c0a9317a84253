import { within } from '../deadline.js';
import type { Decisions } from './decisions.js';
import { COMMAND_TIMEOUT, openSubscriber, type RedisClient } from './redis-connection.js';
import type { RedisScripts } from './redis-scripts.js';

/**
 * {@link Decisions} over Redis' publish and subscribe: one channel, to which only the processes that hold polls listen, over one connection of its
 * own. On a cluster it is a sharded channel, so that a decision does not go to every node; that needs Redis 7.
 */
export class RedisDecisions implements Decisions {
  readonly #client: RedisClient;
  readonly #redis: RedisScripts;
  readonly #channel: string;
  #subscriber: RedisClient | undefined;

  constructor(client: RedisClient, redis: RedisScripts, prefix: string) {
    this.#client = client;
    this.#redis = redis;
    this.#channel = `${prefix}:decided`;
  }

  async listen(heard: (handle?: string) => void): Promise<void> {
    const subscriber = openSubscriber(this.#client);
    this.#subscriber = subscriber;
    subscriber.on(subscriber.isCluster ? 'smessage' : 'message', (_channel: string, handle: string) =>
      heard(handle),
    );
    const subscribed = subscriber.isCluster
      ? subscriber.ssubscribe(this.#channel)
      : subscriber.subscribe(this.#channel);
    // Later it is one that was lost and is there again, and has subscribed anew by itself.
    subscribed.then(() => subscriber.on('ready', () => heard())).catch(() => {});
    await within(COMMAND_TIMEOUT, 'Redis', subscribed);
  }

  /** What is not heard is found by whoever waits for it. */
  tell(handle: string): void {
    this.#redis
      .send((redis) =>
        redis.isCluster ? redis.spublish(this.#channel, handle) : redis.publish(this.#channel, handle),
      )
      .catch(() => {});
  }

  close(): void {
    this.#subscriber?.disconnect();
  }
}
