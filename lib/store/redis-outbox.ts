import { hash } from 'node:crypto';
import {
  type DeliveryState,
  type Ending,
  LATE_AFTER,
  type Outbox,
  type Postponement,
  type StoredDelivery,
  TAKEN_FOR,
} from './outbox.js';
import { dueOf } from './redis-due.js';
import { callbackKey, deliveriesKey, requestKey } from './redis-keys.js';
import type { RedisScripts } from './redis-scripts.js';
import type { RedisTexts, ToldRequest } from './redis-texts.js';

/** How long an index lives at least after it was last written, in milliseconds: longer than any request. */
export const INDEX_LIFE: number = 3 * 86_400_000;

/** An {@link Outbox} in Redis: two sorted sets beside the requests, of those to be looked at and of those given up. */
export class RedisOutbox implements Outbox {
  readonly #redis: RedisScripts;
  readonly #texts: RedisTexts;
  readonly #prefix: string;
  readonly #waiting: string;
  readonly #failed: string;

  constructor(redis: RedisScripts, texts: RedisTexts, prefix: string) {
    this.#redis = redis;
    this.#texts = texts;
    this.#prefix = prefix;
    this.#waiting = deliveriesKey(prefix);
    this.#failed = `${this.#waiting}:failed`;
  }

  schedule(handle: string, delay: number): Promise<void> {
    return this.#note(this.#waiting, handle, delay, '');
  }

  /** Like `schedule`, but a repeat changes nothing. */
  scheduleOnce(handle: string, delay: number): Promise<void> {
    return this.#note(this.#waiting, handle, delay, 'first');
  }

  async due(limit: number): Promise<{ handle: string; turn: number }[]> {
    const turnOf = (handle: string): Promise<string | null> =>
      this.#redis.send((redis) => redis.hget(requestKey(this.#prefix, handle), 'turn'));
    return dueOf(this.#redis, this.#waiting, { limit, takenFor: TAKEN_FOR }, turnOf);
  }

  async list(): Promise<{ waiting: string[]; failed: string[] }> {
    const waiting = await this.#redis.send((redis) => redis.zrange(this.#waiting, '0', '-1'));
    const failed = (await this.#redis.run('failed', [this.#failed], [])) as string[];
    return { waiting, failed };
  }

  async late(): Promise<number> {
    return (await this.#redis.tryRun('late', [this.#waiting], [LATE_AFTER])) as number;
  }

  async find(handle: string): Promise<StoredDelivery | undefined> {
    const found = (await this.#redis.run('delivery', this.#keys(handle), [])) as Found | ['gone'];
    if (found[0] === 'gone') return undefined;
    const [state, attempts, turn, dueAt, note, callback, body, prompt] = found.slice(7) as Telling;
    return {
      request: this.#texts.requestOf(handle, found as Found, { told: true, prompted: prompt !== null }),
      state,
      attempts,
      turn,
      dueAt,
      note: note ?? undefined,
      callback: callback === null ? undefined : this.#texts.open(handle, callback, 'callback'),
      body: body === null ? undefined : this.#texts.open(handle, body, 'body'),
    };
  }

  async keepBody(handle: string, body: string): Promise<string | undefined> {
    const args = [this.#texts.seal(handle, body, 'body'), hash('sha256', body, 'base64url').slice(0, 22)];
    const stands = (await this.#redis.runLasting('keep', this.#keys(handle), args)) as string | null;
    return stands === null ? undefined : this.#texts.open(handle, stands, 'body');
  }

  async postpone(handle: string, { turn, delay, sent, note }: Postponement): Promise<boolean> {
    const key = requestKey(this.#prefix, handle);
    const args = [turn, Math.round(delay), Number(sent), note];
    const left = (await this.#redis.run('postpone', [key], args)) as number | null;
    if (left === null) return false;
    await this.schedule(handle, left);
    return true;
  }

  async end(
    handle: string,
    { state, turn, becomes, sent, note }: Ending,
  ): Promise<DeliveryState | undefined> {
    const key = requestKey(this.#prefix, handle);
    const stands = await this.#redis.run(
      'told',
      [key],
      [state, becomes ?? '', Number(sent), note, turn ?? 0],
    );
    return (stands as DeliveryState | null) ?? undefined;
  }

  async leave(handle: string, how: { secrets: boolean; failedFor?: number }): Promise<void> {
    if (how.secrets) await this.#redis.send((redis) => redis.del(callbackKey(this.#prefix, handle)));
    if (how.failedFor !== undefined) await this.#note(this.#failed, handle, how.failedFor, 'drop');
    // Last: until all of it is done, the request is looked at again.
    await this.#redis.send((redis) => redis.zrem(this.#waiting, handle));
  }

  async reopen(handle: string): Promise<number | undefined> {
    const turn = (await this.#redis.run('reopen', this.#keys(handle), [])) as number | null;
    if (turn === null) return undefined;
    await this.#redis.send((redis) => redis.zrem(this.#failed, handle));
    return turn;
  }

  async #note(index: string, handle: string, delay: number, how: '' | 'first' | 'drop'): Promise<void> {
    await this.#redis.run('schedule', [index], [handle, Math.round(delay), INDEX_LIFE, how]);
  }

  #keys(handle: string): string[] {
    return [requestKey(this.#prefix, handle), callbackKey(this.#prefix, handle)];
  }
}

type Telling = [
  state: DeliveryState,
  attempts: number,
  turn: number,
  dueAt: number,
  note: string | null,
  callback: string | null,
  body: string | null,
  prompt: string | null,
];

type Found = [...ToldRequest, ...Telling];
