import type { Redis } from 'ioredis';

/** What the example keeps of people beside the provider's models: named texts, in groups. */
export interface Storage {
  /** Everything in a group, by name. */
  entries(group: string): Promise<ReadonlyMap<string, string>>;
  set(group: string, name: string, value: string): Promise<void>;
  remove(group: string, name: string): Promise<void>;
  /** Whether this is the first time that it is asked for this name, within so many seconds. */
  isFirst(name: string, seconds: number): Promise<boolean>;
}

/** In Redis where there is one, else in the memory of this process. */
export function storageIn(redis: Redis | undefined): Storage {
  return redis ? new RedisStorage(redis) : new MemoryStorage();
}

class MemoryStorage implements Storage {
  readonly #groups = new Map<string, Map<string, string>>();
  /** When each name that was asked for is forgotten, the soonest not always in front. */
  readonly #seen = new Map<string, number>();

  async entries(group: string): Promise<ReadonlyMap<string, string>> {
    return new Map(this.#groups.get(group));
  }

  async set(group: string, name: string, value: string): Promise<void> {
    this.#groups.set(group, (this.#groups.get(group) ?? new Map()).set(name, value));
  }

  async remove(group: string, name: string): Promise<void> {
    this.#groups.get(group)?.delete(name);
  }

  async isFirst(name: string, seconds: number): Promise<boolean> {
    const now = Date.now();
    for (const [seen, until] of this.#seen) if (until <= now) this.#seen.delete(seen);
    if (this.#seen.has(name)) return false;
    this.#seen.set(name, now + seconds * 1000);
    return true;
  }
}

class RedisStorage implements Storage {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async entries(group: string): Promise<ReadonlyMap<string, string>> {
    return new Map(Object.entries(await this.#redis.hgetall(keyOf(group))));
  }

  async set(group: string, name: string, value: string): Promise<void> {
    await this.#redis.hset(keyOf(group), name, value);
  }

  async remove(group: string, name: string): Promise<void> {
    await this.#redis.hdel(keyOf(group), name);
  }

  async isFirst(name: string, seconds: number): Promise<boolean> {
    return (await this.#redis.set(keyOf(`seen:${name}`), '1', 'EX', seconds, 'NX')) === 'OK';
  }
}

const keyOf = (name: string): string => `example:${name}`;
