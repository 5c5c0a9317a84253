import { createHash } from 'node:crypto';
import { CibaError } from '../errors.js';
import { POLL_LEEWAY, SLOW_DOWN_STEP } from './lifecycle.js';
import { COMMAND_TIMEOUT, openConnection, type RedisClient, whenReady } from './redis-connection.js';
import { type ScriptName, scripts } from './scripts.js';
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

type Argument = string | number;

/** Version of the scripts and of the records: two versions of the plugin can share a connection and a server. */
const VERSION = 1;

/**
 * A {@link Store} in Redis. Each request is one hash, each account has one sorted set of its pending handles. Every script
 * touches one key, so that a cluster always has it in one slot; what needs both keys is two steps, each safe to repeat.
 */
export class RedisStore implements Store {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #timeOffset: () => number;
  readonly #unavailable: (cause: unknown) => void;
  #opened: RedisClient | undefined;
  #closed = false;

  constructor(
    client: RedisClient,
    prefix: string,
    timeOffset: () => number,
    unavailable: (cause: unknown) => void,
  ) {
    this.#client = client;
    this.#prefix = prefix;
    this.#timeOffset = timeOffset;
    this.#unavailable = unavailable;
  }

  /** Opened when it is first needed: where CIBA is not enabled, never. */
  #connection(): RedisClient {
    if (this.#closed) throw new Error('the store is closed');
    if (this.#opened) return this.#opened;
    const connection = openConnection(this.#client);
    for (const [name, { numberOfKeys, lua }] of Object.entries(scripts)) {
      connection.defineCommand(commandName(name as ScriptName), { numberOfKeys, lua });
    }
    this.#opened = connection;
    return connection;
  }

  async create(request: NewRequest): Promise<'created' | 'full'> {
    const { handle, accountId, lifetime } = request;
    // The place first: a crash in between leaves a place that ends by itself, never a request that nobody counts.
    const place = await this.#run('reserve', this.#accountKey(accountId), [
      handle,
      lifetime,
      request.pendingLimit ?? -1,
    ]);
    if (place === 'full') return (await this.read(handle)) ? 'created' : 'full';
    const stored = await this.#run('create', this.#requestKey(handle), [
      request.clientId,
      accountId,
      lifetime,
      request.retention,
      request.interval,
      request.payload,
    ]);
    if (stored === 'over') await this.#leavePlace(accountId, handle);
    return 'created';
  }

  async read(handle: string): Promise<StoredRequest | undefined> {
    const [status, remaining, expiresAt, clientId, accountId, payload, decision] = (await this.#run(
      'read',
      this.#requestKey(handle),
      [],
    )) as [Status | 'gone', number, number, string, string, string, string | null];
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
    };
  }

  async list(accountId: string): Promise<StoredRequest[]> {
    const handles = await this.#send((redis) => redis.zrange(this.#accountKey(accountId), '0', '-1'));
    const found = await Promise.all(handles.map((handle) => this.read(handle)));
    const pending = found.filter((request) => request?.status === 'pending') as StoredRequest[];
    return pending.sort((one, other) => one.expiresAt - other.expiresAt);
  }

  async poll({ handle, clientId, operation }: PollAttempt): Promise<PollResult> {
    const [result, ...rest] = (await this.#run('poll', this.#requestKey(handle), [
      clientId,
      operation,
      SLOW_DOWN_STEP,
      POLL_LEEWAY,
    ])) as [PollResult['result'], ...(string | number)[]];
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
    const [result, ...rest] = (await this.#run('decide', key, [
      accountId === undefined ? '' : `=${accountId}`,
      verdict,
      decision,
      operation,
    ])) as [DecisionResult['result'], ...string[]];
    if (result === 'conflict') return { result, status: rest[0] as Exclude<Status, 'pending'> };
    if (result !== 'decided') return { result };
    const [clientId, decidedFor] = rest as [string, string];
    await this.#leavePlace(decidedFor, attempt.handle);
    return { result, clientId, accountId: decidedFor };
  }

  async claim({ handle, clientId, token, lease }: ClaimAttempt): Promise<ClaimResult> {
    const [result, wait] = (await this.#run('claim', this.#requestKey(handle), [clientId, token, lease])) as [
      ClaimResult['result'],
      number,
    ];
    return result === 'claimed' ? { result, wait } : { result };
  }

  async settle(handle: string, token: string, leaseLeft = 0): Promise<boolean> {
    return (await this.#run('settle', this.#requestKey(handle), [token, Math.ceil(leaseLeft)])) === 1;
  }

  async release(handle: string, token: string): Promise<void> {
    await this.#run('release', this.#requestKey(handle), [token]);
  }

  async remove(handle: string, accountId?: string): Promise<void> {
    const account = accountId ?? (await this.read(handle))?.accountId;
    await this.#send((redis) => redis.del(this.#requestKey(handle)));
    if (account !== undefined) await this.#send((redis) => redis.zrem(this.#accountKey(account), handle));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#opened?.disconnect();
  }

  /** What precedes it is committed, so a failure here is not the caller's: the place ends with the request's life. */
  async #leavePlace(accountId: string, handle: string): Promise<void> {
    await this.#send((redis) => redis.zrem(this.#accountKey(accountId), handle)).catch(() => {});
  }

  #requestKey(handle: string): string {
    return `${this.#prefix}:{${handle}}`;
  }

  /** Hashed, so that no account name can steer a key or be read from one. */
  #accountKey(accountId: string): string {
    return `${this.#prefix}:account:{${createHash('sha256').update(accountId).digest('base64url')}}`;
  }

  #run(name: ScriptName, key: string, args: readonly Argument[]): Promise<unknown> {
    return this.#send((redis) => {
      const script = redis[commandName(name) as 'get'] as unknown as (
        ...args: Argument[]
      ) => Promise<unknown>;
      return script.call(redis, key, this.#timeOffset(), ...args);
    });
  }

  /** One deadline for the connection and the command; what fails is unknown, and said to be so. */
  async #send<T>(command: (redis: RedisClient) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('Redis did not answer in time')), COMMAND_TIMEOUT);
    });
    try {
      const redis = this.#connection();
      return await Promise.race([whenReady(redis).then(() => command(redis)), deadline]);
    } catch (cause) {
      this.#unavailable(cause);
      throw new CibaError('store_unavailable', 'the store did not answer', { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

function commandName(name: ScriptName): string {
  return `oidcCiba${VERSION}${name}`;
}
