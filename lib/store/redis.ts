import { createHash } from 'node:crypto';
import { POLL_LEEWAY, SLOW_DOWN_STEP } from './lifecycle.js';
import { EXPIRY_GRACE } from './outbox.js';
import type { RedisClient } from './redis-connection.js';
import { callbackKey, RedisOutbox, requestKey } from './redis-outbox.js';
import { RedisScripts } from './redis-scripts.js';
import type {
  ClaimAttempt,
  ClaimResult,
  DecisionAttempt,
  DecisionResult,
  NewRequest,
  PollAttempt,
  PollResult,
  Status,
  Store,
  StoredRequest,
} from './store.js';

/**
 * A {@link Store} in Redis. Each request is one hash, each account has one sorted set of its pending handles. Every script
 * touches keys of one slot; what needs two slots is two steps, each safe to repeat.
 */
export class RedisStore implements Store {
  readonly outbox: RedisOutbox;
  readonly #redis: RedisScripts;
  readonly #prefix: string;

  constructor(
    client: RedisClient,
    prefix: string,
    timeOffset: () => number,
    unavailable: (cause: unknown) => void,
  ) {
    this.#redis = new RedisScripts(client, timeOffset, unavailable);
    this.#prefix = prefix;
    this.outbox = new RedisOutbox(this.#redis, prefix);
  }

  async create(request: NewRequest): Promise<'created' | 'full'> {
    const { handle, accountId, lifetime, callback, tellExpiry } = request;
    // The place first: a crash in between leaves a place that ends by itself, never a request that nobody counts.
    const place = await this.#redis.run(
      'reserve',
      [this.#accountKey(accountId)],
      [handle, lifetime, request.pendingLimit ?? -1],
    );
    if (place === 'full') return (await this.read(handle)) ? 'created' : 'full';
    if (callback && tellExpiry) await this.outbox.scheduleOnce(handle, lifetime);
    const keys = [this.#requestKey(handle), callbackKey(this.#prefix, handle)];
    const stored = await this.#redis.run('create', keys, [
      request.clientId,
      accountId,
      lifetime,
      request.retention,
      request.interval,
      request.payload,
      callback ?? '',
      tellExpiry ? EXPIRY_GRACE : 0,
    ]);
    if (stored === 'over') await this.#leavePlace(accountId, handle);
    return 'created';
  }

  async read(handle: string): Promise<StoredRequest | undefined> {
    const found = await this.#redis.run('read', [this.#requestKey(handle)], []);
    const [status, remaining, expiresAt, clientId, accountId, payload, decision, delivery] = found as Found;
    if (status === 'gone') return undefined;
    return {
      handle,
      status,
      clientId,
      accountId,
      expiresAt,
      remaining,
      payload,
      decision: decision ?? undefined,
      told: delivery !== null,
    };
  }

  async list(accountId: string): Promise<StoredRequest[]> {
    const handles = await this.#redis.send((redis) => redis.zrange(this.#accountKey(accountId), '0', '-1'));
    const found = await Promise.all(handles.map((handle) => this.read(handle)));
    const pending = found.filter((request) => request?.status === 'pending') as StoredRequest[];
    return pending.sort((one, other) => one.expiresAt - other.expiresAt);
  }

  async poll({ handle, clientId, operation }: PollAttempt): Promise<PollResult> {
    const [result, ...rest] = (await this.#redis.run(
      'poll',
      [this.#requestKey(handle)],
      [clientId, operation, SLOW_DOWN_STEP, POLL_LEEWAY],
    )) as [PollResult['result'], ...(string | number)[]];
    switch (result) {
      case 'pending':
      case 'slow_down':
      case 'claimed':
        return { result, wait: rest[0] as number };
      case 'approved':
        return {
          result,
          remaining: rest[0] as number,
          accountId: rest[1] as string,
          payload: rest[2] as string,
          decision: rest[3] as string,
        };
      case 'denied':
        return { result, decision: rest[0] as string };
      default:
        return { result };
    }
  }

  async decide(attempt: DecisionAttempt): Promise<DecisionResult> {
    const key = this.#requestKey(attempt.handle);
    const { accountId, verdict, decision, operation } = attempt;
    const [result, ...rest] = (await this.#redis.run(
      'decide',
      [key],
      [accountId === undefined ? '' : `=${accountId}`, verdict, decision, operation],
    )) as [DecisionResult['result'], ...string[]];
    if (result === 'conflict') return { result, status: rest[0] as Exclude<Status, 'pending'> };
    if (result !== 'decided') return { result };
    const [clientId, decidedFor] = rest as [string, string];
    await this.#leavePlace(decidedFor, attempt.handle);
    return { result, clientId, accountId: decidedFor };
  }

  async claim({ handle, clientId, token, lease }: ClaimAttempt): Promise<ClaimResult> {
    const [result, wait] = (await this.#redis.run(
      'claim',
      [this.#requestKey(handle)],
      [clientId, token, lease],
    )) as [ClaimResult['result'], number];
    return result === 'claimed' ? { result, wait } : { result };
  }

  async settle(handle: string, token: string, leaseLeft = 0): Promise<boolean> {
    return (await this.#redis.run('settle', [this.#requestKey(handle)], [token, Math.ceil(leaseLeft)])) === 1;
  }

  async release(handle: string, token: string): Promise<void> {
    await this.#redis.run('release', [this.#requestKey(handle)], [token]);
  }

  async remove(handle: string, accountId?: string): Promise<void> {
    const account = accountId ?? (await this.read(handle))?.accountId;
    await this.#redis.send((redis) => redis.del(this.#requestKey(handle), callbackKey(this.#prefix, handle)));
    if (account !== undefined)
      await this.#redis.send((redis) => redis.zrem(this.#accountKey(account), handle));
  }

  async close(): Promise<void> {
    this.#redis.close();
  }

  /** What precedes it is committed, so a failure here is not the caller's: the place ends with the request's life. */
  async #leavePlace(accountId: string, handle: string): Promise<void> {
    await this.#redis.send((redis) => redis.zrem(this.#accountKey(accountId), handle)).catch(() => {});
  }

  #requestKey(handle: string): string {
    return requestKey(this.#prefix, handle);
  }

  /** Hashed, so that no account name can steer a key or be read from one. */
  #accountKey(accountId: string): string {
    return `${this.#prefix}:account:{${createHash('sha256').update(accountId).digest('base64url')}}`;
  }
}

type Found = [
  status: Status | 'gone',
  remaining: number,
  expiresAt: number,
  clientId: string,
  accountId: string,
  payload: string,
  decision: string | null,
  delivery: string | null,
];
