import { within } from '../deadline.js';
import type { Decisions } from './decisions.js';
import { COMMAND_TIMEOUT, openSubscriber, type RedisClient } from './redis-connection.js';
import type { RedisScripts } from './redis-scripts.js';

/** How long a subscription that was refused waits until it is asked for again, in milliseconds. */
const AGAIN_AFTER = 5_000;

/**
 * {@link Decisions} over Redis' publish and subscribe: one channel, to which only the processes that hold polls listen, over one connection of its
 * own. On a cluster it is a sharded channel, so that a decision does not go to every node; that needs Redis 7.
 */
export class RedisDecisions implements Decisions {
  readonly #client: RedisClient;
  readonly #redis: RedisScripts;
  readonly #channel: string;
  #subscriber: RedisClient | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(client: RedisClient, redis: RedisScripts, prefix: string) {
    this.#client = client;
    this.#redis = redis;
    this.#channel = `${prefix}:decided`;
  }

  async listen(heard: (handle?: string) => void): Promise<void> {
    const subscriber = openSubscriber(this.#client);
    this.#subscriber = subscriber;
    const message = subscriber.isCluster ? 'smessage' : 'message';
    subscriber.on(message, (_channel: string, handle: string) => heard(handle));
    await within(COMMAND_TIMEOUT, 'Redis', this.#subscribe(subscriber, heard));
  }

  /** What is not heard is found by whoever waits for it. */
  tell(handle: string): void {
    this.#redis.attempt((redis) =>
      redis.isCluster ? redis.spublish(this.#channel, handle) : redis.publish(this.#channel, handle),
    );
  }

  close(): void {
    clearTimeout(this.#again);
    this.#subscriber?.disconnect();
    this.#subscriber = undefined;
  }

  async #subscribe(subscriber: RedisClient, heard: () => void): Promise<void> {
    try {
      await (subscriber.isCluster
        ? subscriber.ssubscribe(this.#channel)
        : subscriber.subscribe(this.#channel));
    } catch (error) {
      if (this.#subscriber)
        this.#again = setTimeout(() => this.#retry(subscriber, heard), AGAIN_AFTER).unref();
      throw error;
    }
    // Later it is one that was lost and is there again, and has subscribed anew by itself.
    subscriber.on('ready', () => heard());
  }

  #retry(subscriber: RedisClient, heard: () => void): void {
    this.#subscribe(subscriber, heard).then(heard, () => {});
  }
}
