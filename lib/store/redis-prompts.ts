import { LATE_AFTER } from './outbox.js';
import {
  type Advance,
  ANNOUNCED_WITHIN,
  PROMPT_TAKEN_FOR,
  type Prompts,
  type StoredPrompt,
} from './prompts.js';
import { dueOf } from './redis-due.js';
import { promptsKey, requestKey } from './redis-keys.js';
import { INDEX_LIFE } from './redis-outbox.js';
import type { RedisScripts } from './redis-scripts.js';
import type { RedisTexts, ToldRequest } from './redis-texts.js';
import { PROMPTED_WITHIN } from './store.js';

/** {@link Prompts} in Redis: a sorted set beside the requests, of those to be looked at. */
export class RedisPrompts implements Prompts {
  readonly #redis: RedisScripts;
  readonly #texts: RedisTexts;
  readonly #prefix: string;
  readonly #index: string;

  constructor(redis: RedisScripts, texts: RedisTexts, prefix: string) {
    this.#redis = redis;
    this.#texts = texts;
    this.#prefix = prefix;
    this.#index = promptsKey(prefix);
  }

  schedule(handle: string, delay: number): Promise<void> {
    return this.#note(handle, delay, '');
  }

  /** Notes a new request, once: a repeat changes nothing. */
  scheduleFirst(handle: string): Promise<void> {
    return this.#note(handle, PROMPTED_WITHIN, 'first');
  }

  async due(limit: number): Promise<{ handle: string; turn: number }[]> {
    const turnOf = async (handle: string): Promise<number | undefined> => (await this.#found(handle))?.[8];
    return dueOf(this.#redis, this.#index, { limit, takenFor: PROMPT_TAKEN_FOR }, turnOf);
  }

  async late(): Promise<number> {
    return (await this.#redis.tryRun('late', [this.#index], [LATE_AFTER])) as number;
  }

  async find(handle: string): Promise<StoredPrompt | undefined> {
    const found = await this.#found(handle);
    if (!found) return undefined;
    const [delivery, turn, progress] = found.slice(7) as Prompting;
    return {
      request: this.#texts.requestOf(handle, found, { told: delivery !== null, prompted: true }),
      turn,
      progress: progress === null ? undefined : this.#texts.open(handle, progress, 'progress'),
    };
  }

  async #found(handle: string): Promise<Found | undefined> {
    const found = await this.#redis.run('prompt', [requestKey(this.#prefix, handle)], []);
    return (found as Found | ['gone'])[0] === 'gone' ? undefined : (found as Found);
  }

  async advance(handle: string, { turn, progress, delay, operation }: Advance): Promise<boolean> {
    const key = requestKey(this.#prefix, handle);
    const args = [turn, Math.round(delay), this.#texts.seal(handle, progress, 'progress'), operation];
    const left = (await this.#redis.run('advance', [key], args)) as number | null;
    if (left === null) return false;
    if (left >= 0) await this.#note(handle, left, 'turn');
    return true;
  }

  async leave(handle: string): Promise<void> {
    await this.#redis.send((redis) => redis.zrem(this.#index, handle));
  }

  async #note(handle: string, delay: number, how: '' | 'first' | 'turn'): Promise<void> {
    const args = [handle, Math.round(delay), INDEX_LIFE, how, ANNOUNCED_WITHIN];
    await this.#redis.run('schedule', [this.#index], args);
  }
}

type Prompting = [delivery: string | null, turn: number, progress: string | null];

type Found = [...ToldRequest, ...Prompting];
