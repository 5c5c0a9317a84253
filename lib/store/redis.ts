import { hash } from 'node:crypto';
import type { StoreHealth } from './health.js';
import { inBackground } from './in-background.js';
import { DOUBT, POLL_LEEWAY, SLOW_DOWN_STEP } from './lifecycle.js';
import { EXPIRY_GRACE, FIRST_TURN } from './outbox.js';
import type { RedisClient } from './redis-connection.js';
import { RedisDecisions } from './redis-decisions.js';
import { RedisHealth } from './redis-health.js';
import { callbackKey, requestKey } from './redis-keys.js';
import { RedisOutbox } from './redis-outbox.js';
import { RedisPrompts } from './redis-prompts.js';
import type { Replicas } from './redis-replicas.js';
import { type CommandTimer, RedisScripts } from './redis-scripts.js';
import { RedisTexts, type ToldRequest } from './redis-texts.js';
import type {
  ClaimAttempt,
  ClaimResult,
  DecisionAttempt,
  DecisionResult,
  Guess,
  KeptAnswer,
  NewRequest,
  Owner,
  PollAttempt,
  PollResult,
  Refusal,
  Status,
  Store,
  StoredRequest,
} from './store.js';

/** What a store in Redis does beyond the contract. */
export interface RedisStoreOptions {
  /** Whether decisions are told to those that wait for one. */
  readonly tellsDecisions?: boolean;
  /** Who must have what may not be lost before it counts. */
  readonly replicas?: Replicas | undefined;
  /** What the texts of requests are encrypted with; left out, they are not. */
  readonly keys?: readonly (Uint8Array | string)[] | undefined;
  /** Times commands, where somebody wants to know. */
  readonly timer?: CommandTimer | undefined;
}

/**
 * A {@link Store} in Redis. Each request is one hash, each account and each client has a sorted set of its pending requests. Every script
 * touches keys of one slot; what needs two slots is two steps, each safe to repeat.
 */
export class RedisStore implements Store {
  readonly outbox: RedisOutbox;
  readonly prompts: RedisPrompts;
  readonly decisions: RedisDecisions;
  readonly #tellsDecisions: boolean;
  readonly #redis: RedisScripts;
  readonly #texts: RedisTexts;
  readonly #prefix: string;
  readonly #health: RedisHealth;

  constructor(
    client: RedisClient,
    prefix: string,
    timeOffset: () => number,
    unavailable: (cause: unknown) => void,
    { tellsDecisions = false, replicas, keys, timer }: RedisStoreOptions = {},
  ) {
    this.#redis = new RedisScripts(client, timeOffset, unavailable, replicas, timer);
    this.#texts = new RedisTexts(prefix, keys, unavailable);
    this.#prefix = prefix;
    this.#health = new RedisHealth(this.#redis, prefix);
    this.outbox = new RedisOutbox(this.#redis, this.#texts, prefix);
    this.prompts = new RedisPrompts(this.#redis, this.#texts, prefix);
    this.decisions = new RedisDecisions(client, this.#redis, prefix);
    this.#tellsDecisions = tellsDecisions;
  }

  async create(request: NewRequest): Promise<'created' | Refusal> {
    const { handle, clientId, accountId, lifetime, callback, tellExpiry, prompted } = request;
    // The places first: a crash in between leaves places that end by themselves, never a request that nobody counts.
    const refused = await this.#takePlaces(request);
    if (refused) return (await this.read(handle)) ? 'created' : refused;
    if (callback && tellExpiry) await this.outbox.scheduleOnce(handle, lifetime);
    if (prompted) await this.prompts.scheduleFirst(handle);
    const keys = [this.#requestKey(handle), callbackKey(this.#prefix, handle)];
    const stored = await this.#redis.run('create', keys, [
      clientId,
      accountId,
      lifetime,
      request.retention,
      request.interval,
      this.#texts.sealPayload(handle, request.payload, clientId, accountId),
      callback ? this.#texts.seal(handle, callback, 'callback') : '',
      tellExpiry ? EXPIRY_GRACE : 0,
      prompted ? FIRST_TURN : 0,
    ]);
    if (stored === 'over') await this.#leavePlaces(handle, request);
    else if (await this.#isBlocked(accountId, clientId)) {
      await this.remove(handle, request);
      return 'blocked';
    }
    return 'created';
  }

  /** Looked at once the request is stored: whoever blocks the client reads the list after that, and either sees the other. */
  async #isBlocked(accountId: string, clientId: string): Promise<boolean> {
    const [, key] = this.#accountKeys(accountId, clientId);
    return (await this.#redis.send((redis) => redis.zscore(key, '!'))) !== null;
  }

  /** Those of the account in one step. The client's lies elsewhere: it is taken first, and given back. */
  async #takePlaces({
    handle,
    clientId,
    accountId,
    lifetime,
    limits,
  }: NewRequest): Promise<Refusal | undefined> {
    const clientKey = this.#clientKey(clientId);
    if (limits.client !== undefined) {
      const taken = await this.#redis.run('reserve', [clientKey], [handle, lifetime, limits.client]);
      if (taken === 'full') return 'client';
    }
    const admitted = await this.#redis.run('admit', this.#accountKeys(accountId, clientId), [
      digest(clientId),
      handle,
      lifetime,
      limits.account ?? -1,
      limits.accountAndClient ?? -1,
      limits.refusals ?? -1,
      limits.cooldown,
    ]);
    if (admitted === 'ok') return undefined;
    if (limits.client !== undefined) await this.#leavePlaceOfClient(handle, clientId);
    return admitted as Refusal;
  }

  async read(handle: string): Promise<StoredRequest | undefined> {
    const found = await this.#found(handle);
    if (!found) return undefined;
    const [, , , , , , , delivery, prompt] = found;
    return this.#texts.requestOf(handle, found, { told: delivery !== null, prompted: prompt !== null });
  }

  async #found(handle: string): Promise<Found | undefined> {
    const found = await this.#redis.run('read', [this.#requestKey(handle)], []);
    return (found as Found | ['gone'])[0] === 'gone' ? undefined : (found as Found);
  }

  async list(accountId: string): Promise<StoredRequest[]> {
    const entries = (await this.#redis.run('pending', [this.#accountKey(accountId)], [])) as string[];
    const found = await Promise.all(entries.map((entry) => this.read(entry.slice(entry.indexOf(':') + 1))));
    const pending = found.filter((request) => request?.status === 'pending') as StoredRequest[];
    return pending.sort((one, other) => one.expiresAt - other.expiresAt);
  }

  poll({ handle, clientId, operation }: PollAttempt): Promise<PollResult> {
    const args = [clientId, operation, SLOW_DOWN_STEP, POLL_LEEWAY];
    const read = (reply: unknown): PollResult => pollResultOf(reply, handle, clientId, this.#texts);
    return this.#redis.run('poll', [this.#requestKey(handle)], args, read);
  }

  async statusOf(handle: string): Promise<Status | 'gone'> {
    return (await this.#redis.run('status', [this.#requestKey(handle)], [])) as Status | 'gone';
  }

  async decide(attempt: DecisionAttempt): Promise<DecisionResult> {
    const key = this.#requestKey(attempt.handle);
    const { accountId, verdict, operation, cooldown } = attempt;
    const decision = this.#texts.sealDecision(attempt.handle, attempt.decision, verdict);
    const [result, ...rest] = (await this.#redis.runLasting(
      'decide',
      [key],
      [accountId === undefined ? '' : `=${accountId}`, verdict, decision, operation],
    )) as [DecisionResult['result'], ...(string | number)[]];
    if (result === 'conflict') return { result, status: rest[0] as Exclude<Status, 'pending'> };
    if (result !== 'decided') return { result };
    if (this.#tellsDecisions) this.decisions.tell(attempt.handle);
    const [clientId, decidedFor, since] = rest as [string, string, number];
    const owner = { clientId, accountId: decidedFor };
    await this.#leavePlaces(attempt.handle, owner, Math.max(0, (cooldown ?? 0) - since));
    return { result, ...owner };
  }

  async claim({ handle, clientId, token, lease }: ClaimAttempt): Promise<ClaimResult> {
    const [result, wait] = (await this.#redis.runLasting(
      'claim',
      [this.#requestKey(handle)],
      [clientId, token, lease],
    )) as [ClaimResult['result'], number];
    return result === 'claimed' ? { result, wait } : { result };
  }

  async settle(handle: string, token: string, leaseLeft = 0): Promise<boolean> {
    const args = [token, Math.ceil(leaseLeft), DOUBT];
    return (await this.#redis.runLasting('settle', [this.#requestKey(handle)], args)) === 1;
  }

  async confirm(handle: string): Promise<void> {
    await this.#redis.send((redis) => redis.hdel(this.#requestKey(handle), 'doubt'));
  }

  async keepAnswer(handle: string, token: string, { sealed, lifetime }: KeptAnswer): Promise<void> {
    await this.#redis.run('answered', this.#answerKeys(handle), [token, sealed, lifetime]);
  }

  async answerOf(handle: string): Promise<string | undefined> {
    const [, key = ''] = this.#answerKeys(handle);
    return ((await this.#redis.run('answer', [key], [])) as string | null) ?? undefined;
  }

  async release(handle: string, token: string): Promise<void> {
    await this.#redis.runLasting('release', this.#answerKeys(handle), [token]);
  }

  async remove(handle: string, owner?: Owner): Promise<void> {
    const found = owner ? undefined : await this.#found(handle);
    const { clientId, accountId } = owner ?? { clientId: found?.[3], accountId: found?.[4] };
    await this.#redis.send((redis) => redis.del(this.#requestKey(handle), callbackKey(this.#prefix, handle)));
    if (clientId === undefined || accountId === undefined) return;
    await this.#redis.run('leave', this.#accountKeys(accountId, clientId), [digest(clientId), handle, 0]);
    await this.#redis.send((redis) => redis.zrem(this.#clientKey(clientId), handle));
  }

  async block(accountId: string, clientId: string, lifetime: number): Promise<void> {
    const [, refused] = this.#accountKeys(accountId, clientId);
    await this.#redis.run('block', [refused], [Math.round(lifetime)]);
  }

  async unblock(accountId: string, clientId: string): Promise<void> {
    const [index, refused] = this.#accountKeys(accountId, clientId);
    await this.#redis.run('unblock', [refused, index], [digest(clientId)]);
  }

  async guess(guess: Guess): Promise<boolean> {
    const { operation, lifetime, most } = guess;
    const args = [operation, lifetime, most.account, most.accountAndClient];
    return (await this.#redis.run('guess', this.#guessKeys(guess), args)) === 1;
  }

  async guessedRight(guess: Guess): Promise<void> {
    const [account = '', pair = ''] = this.#guessKeys(guess);
    await this.#redis.send((redis) => redis.zrem(account, guess.operation));
    await this.#redis.send((redis) => redis.del(pair));
  }

  async takeBackGuess(guess: Guess): Promise<void> {
    const keys = this.#guessKeys(guess);
    await Promise.all(keys.map((key) => this.#redis.send((redis) => redis.zrem(key, guess.operation))));
  }

  async useOnce(kind: string, id: string, lifetime: number, operation: string): Promise<boolean> {
    const key = `${this.#prefix}:once:${kind}:{${digest(id)}}`;
    return (await this.#redis.run('once', [key], [operation, Math.ceil(lifetime)])) === 1;
  }

  health(): Promise<StoreHealth> {
    return this.#health.look();
  }

  async close(): Promise<void> {
    this.decisions.close();
    this.#redis.close();
  }

  /** What precedes it is committed, so a failure here is not the caller's: the places are left later, or end with the request's life. */
  async #leavePlaces(handle: string, { accountId, clientId }: Owner, cooldown = 0): Promise<void> {
    const keys = this.#accountKeys(accountId, clientId);
    const leave = () => this.#redis.run('leave', keys, [digest(clientId), handle, cooldown]);
    await Promise.all([leave().catch(() => inBackground(leave)), this.#leavePlaceOfClient(handle, clientId)]);
  }

  async #leavePlaceOfClient(handle: string, clientId: string): Promise<void> {
    const leave = () => this.#redis.send((redis) => redis.zrem(this.#clientKey(clientId), handle));
    await leave().catch(() => inBackground(leave));
  }

  #requestKey(handle: string): string {
    return requestKey(this.#prefix, handle);
  }

  #answerKeys(handle: string): [string, string] {
    const key = this.#requestKey(handle);
    return [key, `${key}:answer`];
  }

  #clientKey(clientId: string): string {
    return `${this.#prefix}:client:{${digest(clientId)}}`;
  }

  #accountKey(accountId: string): string {
    return `${this.#prefix}:account:{${digest(accountId)}}`;
  }

  /** All of an account in one slot. */
  #accountKeys(accountId: string, clientId: string): [index: string, refused: string] {
    const index = this.#accountKey(accountId);
    return [index, `${index}:refused:${digest(clientId)}`];
  }

  #guessKeys({ accountId, clientId }: Guess): string[] {
    const guesses = `${this.#accountKey(accountId)}:guesses`;
    return [guesses, `${guesses}:${digest(clientId)}`];
  }
}

function pollResultOf(reply: unknown, handle: string, clientId: string, texts: RedisTexts): PollResult {
  const [result, ...rest] = reply as [PollResult['result'], ...(string | number)[]];
  switch (result) {
    case 'pending':
    case 'slow_down':
      return { result, wait: rest[0] as number, remaining: rest[1] as number };
    case 'claimed':
      return { result, wait: rest[0] as number };
    case 'approved': {
      const [remaining, accountId, payload, decision] = rest as [number, string, string, string];
      return {
        result,
        remaining,
        accountId,
        payload: texts.openPayload(handle, payload, clientId, accountId),
        decision: texts.openDecision(handle, decision, result),
      };
    }
    case 'denied':
      return { result, decision: texts.openDecision(handle, rest[0] as string, result) };
    default:
      return { result };
  }
}

/** Hashed, so that no name can steer a key or be read from one; 132 bits: two names for one are found by no chance, and would share a limit. */
const digest = (name: string): string => hash('sha256', name, 'base64url').slice(0, 22);

type Found = [...ToldRequest, delivery: string | null, prompt: string | null];
