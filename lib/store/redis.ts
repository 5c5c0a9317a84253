import type { StoreHealth } from './health.js';
import { inBackground } from './in-background.js';
import { DOUBT, POLL_LEEWAY, SLOW_DOWN_STEP } from './lifecycle.js';
import { EXPIRY_GRACE, FIRST_TURN } from './outbox.js';
import type { RedisClient } from './redis-connection.js';
import { RedisDecisions } from './redis-decisions.js';
import { RedisHealth } from './redis-health.js';
import {
  accountKey,
  callbackKey,
  deliveriesKey,
  digest,
  type PlaceKeys,
  placeKeys,
  promptsKey,
  requestKey,
} from './redis-keys.js';
import { INDEX_LIFE, RedisOutbox } from './redis-outbox.js';
import { RedisPrompts } from './redis-prompts.js';
import type { Replicas } from './redis-replicas.js';
import { APART, type Argument, type CommandTimer, RedisScripts } from './redis-scripts.js';
import { RedisTexts, type ToldRequest } from './redis-texts.js';
import {
  type ClaimAttempt,
  type ClaimResult,
  type DecisionAttempt,
  type DecisionResult,
  type Guess,
  type KeptAnswer,
  type Limits,
  type NewRequest,
  type Owner,
  type PollAttempt,
  type PollClaim,
  type PollResult,
  PROMPTED_WITHIN,
  type Refusal,
  type Status,
  type Store,
  type StoredRequest,
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
 * A {@link Store} in Redis. Each request is one hash, each account and each client has a sorted set of its pending requests. What touches
 * keys of several slots is one step where one server has them all, and on a cluster several, each safe to repeat.
 */
export class RedisStore implements Store {
  readonly outbox: RedisOutbox;
  readonly prompts: RedisPrompts;
  readonly decisions: RedisDecisions;
  readonly #tellsDecisions: boolean;
  readonly #waitsForReplicas: boolean;
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
    this.#waitsForReplicas = replicas !== undefined;
  }

  async create(request: NewRequest): Promise<'created' | Refusal> {
    const places = placeKeys(this.#prefix, request);
    const told = await this.#redis.runAcross('ask', () => this.#asked(request, places), { alone: true });
    if (told === APART) return this.#createInSteps(request, places);
    return told === 'ok' ? 'created' : (told as Refusal);
  }

  /** Where the keys of a request lie apart. The places first: a crash in between leaves places that end by themselves, never a request that nobody counts. */
  async #createInSteps(request: NewRequest, places: PlaceKeys): Promise<'created' | Refusal> {
    const { handle, lifetime, callback, tellExpiry, prompted } = request;
    const refused = await this.#takePlaces(request, places);
    if (refused) return (await this.read(handle)) ? 'created' : refused;
    if (callback && tellExpiry) await this.outbox.scheduleOnce(handle, lifetime);
    if (prompted) await this.prompts.scheduleFirst(handle);
    const stored = await this.#redis.run('create', this.#requestKeys(handle), this.#stored(request));
    if (stored === 'over') await this.#leavePlaces(handle, places);
    else if (await this.#isBlocked(places)) {
      await this.remove(handle, request);
      return 'blocked';
    }
    return 'created';
  }

  #asked(request: NewRequest, { client, account, ofClient }: PlaceKeys): [keys: string[], args: Argument[]] {
    const { handle, limits } = request;
    const indices = [deliveriesKey(this.#prefix), promptsKey(this.#prefix)];
    return [
      [...this.#requestKeys(handle), ...account, ofClient, ...indices],
      [
        ...this.#stored(request),
        client,
        handle,
        limits.client ?? -1,
        ...limitsOfAccount(limits),
        PROMPTED_WITHIN,
        INDEX_LIFE,
      ],
    ];
  }

  /** What a script is told of a new request. */
  #stored(request: NewRequest): Argument[] {
    const { handle, clientId, accountId, callback } = request;
    return [
      clientId,
      accountId,
      request.lifetime,
      request.retention,
      request.interval,
      this.#texts.sealPayload(handle, request.payload, clientId, accountId),
      callback ? this.#texts.seal(handle, callback, 'callback') : '',
      request.tellExpiry ? EXPIRY_GRACE : 0,
      request.prompted ? FIRST_TURN : 0,
    ];
  }

  /** Looked at once the request is stored: whoever blocks the client reads the list after that, and either sees the other. */
  async #isBlocked({ account: [, refused] }: PlaceKeys): Promise<boolean> {
    return (await this.#redis.send((redis) => redis.zscore(refused, '!'))) !== null;
  }

  /** Those of the account in one step. The client's lies elsewhere: it is taken first, and given back. */
  async #takePlaces(
    { handle, lifetime, limits }: NewRequest,
    { client, account, ofClient }: PlaceKeys,
  ): Promise<Refusal | undefined> {
    if (limits.client !== undefined) {
      const taken = await this.#redis.run('reserve', [ofClient], [handle, lifetime, limits.client]);
      if (taken === 'full') return 'client';
    }
    const args = [client, handle, lifetime, ...limitsOfAccount(limits)];
    const admitted = await this.#redis.run('admit', account, args);
    if (admitted === 'ok') return undefined;
    if (limits.client !== undefined) await this.#leavePlaceOfClient(handle, ofClient);
    return admitted as Refusal;
  }

  read(handle: string): Promise<StoredRequest | undefined> {
    return this.#read(handle, (found) => {
      const [, , , , , , , delivery, prompt] = found;
      return this.#texts.requestOf(handle, found, { told: delivery !== null, prompted: prompt !== null });
    });
  }

  #read<T>(handle: string, of: (found: Found) => T): Promise<T | undefined> {
    const read = (reply: unknown): T | undefined => {
      const found = reply as Found | ['gone'];
      return found[0] === 'gone' ? undefined : of(found as Found);
    };
    return this.#redis.run('read', [this.#requestKey(handle)], [], { read });
  }

  async list(accountId: string): Promise<StoredRequest[]> {
    const entries = (await this.#redis.run('pending', [accountKey(this.#prefix, accountId)], [])) as string[];
    const found = await Promise.all(entries.map((entry) => this.read(entry.slice(entry.indexOf(':') + 1))));
    const pending = found.filter((request) => request?.status === 'pending') as StoredRequest[];
    return pending.sort((one, other) => one.expiresAt - other.expiresAt);
  }

  poll({ handle, clientId, operation, alone, claim }: PollAttempt): Promise<PollResult> {
    // No poll waits for replicas, but a claim does.
    const { token, lease } = (!this.#waitsForReplicas && claim) || NO_CLAIM;
    const args = [clientId, operation, SLOW_DOWN_STEP, POLL_LEEWAY, token, lease];
    const read = (reply: unknown): PollResult => {
      try {
        return pollResultOf(reply, handle, clientId, this.#texts);
      } catch (error) {
        // Another process may have the key that this one lacks.
        if (token !== '') inBackground(() => this.release(handle, token));
        throw error;
      }
    };
    return this.#redis.run('poll', [this.#requestKey(handle)], args, { read, alone });
  }

  async statusOf(handle: string): Promise<Status | 'gone'> {
    return (await this.#redis.run('status', [this.#requestKey(handle)], [])) as Status | 'gone';
  }

  async decide(attempt: DecisionAttempt): Promise<DecisionResult> {
    const { handle, owner, accountId, verdict, operation, cooldown = 0 } = attempt;
    const places = placeKeys(this.#prefix, owner);
    const decision = this.#texts.sealDecision(handle, attempt.decision, verdict);
    const key = this.#requestKey(handle);
    const args = [accountId === undefined ? '' : `=${accountId}`, verdict, decision, operation];
    const { client, account, ofClient } = places;
    const whole = await this.#redis.runAcross(
      'conclude',
      () => [
        [key, ...account, ofClient],
        [...args, client, handle, cooldown],
      ],
      { lasting: true },
    );
    const told = whole === APART ? await this.#redis.runLasting('decide', [key], args) : whole;
    const [result, rest, left] = told as Decided;
    if (result === 'conflict') return { result, status: rest };
    if (result !== 'decided') return { result };
    if (this.#tellsDecisions) this.decisions.tell(handle);
    if (left !== 1) await this.#leavePlaces(handle, places, Math.max(0, cooldown - rest));
    return { result };
  }

  claim({ handle, clientId, token, lease }: ClaimAttempt): Promise<ClaimResult> {
    const args = [clientId, token, lease];
    const manner = { read: claimResultOf, alone: true };
    return this.#redis.runLasting('claim', [this.#requestKey(handle)], args, manner);
  }

  settle(handle: string, token: string, leaseLeft = 0): Promise<boolean> {
    const args = [token, Math.ceil(leaseLeft), DOUBT];
    const read = (settled: unknown): boolean => settled === 1;
    return this.#redis.runLasting('settle', [this.#requestKey(handle)], args, { read });
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
    const theirs =
      owner ?? (await this.#read(handle, ([, , , clientId, accountId]): Owner => ({ clientId, accountId })));
    await this.#redis.send((redis) => redis.del(...this.#requestKeys(handle)));
    if (!theirs) return;
    const { client, account, ofClient } = placeKeys(this.#prefix, theirs);
    await this.#redis.run('leave', account, [client, handle, 0]);
    await this.#redis.send((redis) => redis.zrem(ofClient, handle));
  }

  async block(accountId: string, clientId: string, lifetime: number): Promise<void> {
    const [, refused] = placeKeys(this.#prefix, { accountId, clientId }).account;
    await this.#redis.run('block', [refused], [Math.round(lifetime)]);
  }

  async unblock(accountId: string, clientId: string): Promise<void> {
    const { client, account } = placeKeys(this.#prefix, { accountId, clientId });
    const [index, refused] = account;
    await this.#redis.run('unblock', [refused, index], [client]);
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
  async #leavePlaces(handle: string, { client, account, ofClient }: PlaceKeys, counts = 0): Promise<void> {
    const leave = () => this.#redis.run('leave', account, [client, handle, counts]);
    await Promise.all([leave().catch(() => inBackground(leave)), this.#leavePlaceOfClient(handle, ofClient)]);
  }

  async #leavePlaceOfClient(handle: string, ofClient: string): Promise<void> {
    const leave = () => this.#redis.send((redis) => redis.zrem(ofClient, handle));
    await leave().catch(() => inBackground(leave));
  }

  #requestKey(handle: string): string {
    return requestKey(this.#prefix, handle);
  }

  #requestKeys(handle: string): [request: string, callback: string] {
    return [this.#requestKey(handle), callbackKey(this.#prefix, handle)];
  }

  #answerKeys(handle: string): [string, string] {
    const key = this.#requestKey(handle);
    return [key, `${key}:answer`];
  }

  #guessKeys({ accountId, clientId }: Guess): string[] {
    const guesses = `${accountKey(this.#prefix, accountId)}:guesses`;
    return [guesses, `${guesses}:${digest(clientId)}`];
  }
}

/** A poll that claims nothing. */
const NO_CLAIM: PollClaim = { token: '', lease: 0 };

function pollResultOf(reply: unknown, handle: string, clientId: string, texts: RedisTexts): PollResult {
  const [result, ...rest] = reply as [PollResult['result'], ...(string | number)[]];
  switch (result) {
    case 'pending':
    case 'slow_down':
      return { result, wait: rest[0] as number, remaining: rest[1] as number };
    case 'claimed':
      return { result, wait: rest[0] as number };
    case 'approved': {
      const [remaining, accountId, payload, decision, claimed] = rest as [
        number,
        string,
        string,
        string,
        number,
      ];
      return {
        result,
        remaining,
        accountId,
        payload: texts.openPayload(handle, payload, clientId, accountId),
        decision: texts.openDecision(handle, decision, result),
        claimed: claimed === 1,
      };
    }
    case 'denied':
      return { result, decision: texts.openDecision(handle, rest[0] as string, result) };
    default:
      return { result };
  }
}

function claimResultOf(reply: unknown): ClaimResult {
  const [result, wait] = reply as [ClaimResult['result'], number];
  return result === 'claimed' ? { result, wait } : { result };
}

/** As the scripts take them. */
const limitsOfAccount = ({
  account = -1,
  accountAndClient = -1,
  refusals = -1,
  cooldown,
}: Limits): number[] => [account, accountAndClient, refusals, cooldown];

type Decided =
  | [result: 'decided', since: number, left?: 0 | 1]
  | [result: 'conflict', status: Exclude<Status, 'pending'>, left?: undefined]
  | [result: 'forbidden' | 'gone', status?: undefined, left?: undefined];

type Found = [...ToldRequest, delivery: string | null, prompt: string | null];
