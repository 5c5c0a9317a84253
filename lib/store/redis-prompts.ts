import {
  type Advance,
  ANNOUNCED_WITHIN,
  PROMPT_TAKEN_FOR,
  type Prompts,
  type StoredPrompt,
} from './prompts.js';
import { INDEX_LIFE, requestKey } from './redis-outbox.js';
import type { RedisScripts } from './redis-scripts.js';
import { PROMPTED_WITHIN, type Status } from './store.js';

/** {@link Prompts} in Redis: a sorted set beside the requests, of those to be looked at. */
export class RedisPrompts implements Prompts {
  readonly #redis: RedisScripts;
  readonly #prefix: string;
  readonly #index: string;

  constructor(redis: RedisScripts, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#index = `${prefix}:prompts`;
  }

  schedule(handle: string, delay: number): Promise<void> {
    return this.#note(handle, delay, '');
  }

  /** Notes a new request, once: a repeat changes nothing. */
  scheduleFirst(handle: string): Promise<void> {
    return this.#note(handle, PROMPTED_WITHIN, 'first');
  }

  async due(limit: number): Promise<{ handle: string; turn: number }[]> {
    const handles = (await this.#redis.run('due', [this.#index], [limit, PROMPT_TAKEN_FOR])) as string[];
    const found = await Promise.all(handles.map((handle) => this.find(handle)));
    return handles.map((handle, index) => ({ handle, turn: found[index]?.turn ?? 0 }));
  }

  async find(handle: string): Promise<StoredPrompt | undefined> {
    const found = (await this.#redis.run('prompt', [requestKey(this.#prefix, handle)], [])) as
      | Found
      | ['gone'];
    if (found[0] === 'gone') return undefined;
    const [status, remaining, expiresAt, clientId, accountId, payload, decision, delivery, turn, progress] =
      found as Found;
    return {
      request: {
        handle,
        status,
        remaining,
        expiresAt,
        clientId,
        accountId,
        payload,
        decision: decision ?? undefined,
        told: delivery !== null,
        prompted: true,
      },
      turn,
      progress: progress ?? undefined,
    };
  }

  async advance(handle: string, { turn, progress, delay, operation }: Advance): Promise<boolean> {
    const key = requestKey(this.#prefix, handle);
    const left = (await this.#redis.run('advance', [key], [turn, Math.round(delay), progress, operation])) as
      | number
      | null;
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

type Found = [
  status: Status,
  remaining: number,
  expiresAt: number,
  clientId: string,
  accountId: string,
  payload: string,
  decision: string | null,
  delivery: string | null,
  turn: number,
  progress: string | null,
];
