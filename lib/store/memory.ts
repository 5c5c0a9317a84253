import type { StoreHealth } from './health.js';
import { DOUBT, doubtLeft, pollPending, type RequestRecord, statusAt } from './lifecycle.js';
import { MemoryDecisions } from './memory-decisions.js';
import { MemoryLimits } from './memory-limits.js';
import { MemoryOutbox } from './memory-outbox.js';
import { MemoryPrompts } from './memory-prompts.js';
import { EXPIRY_GRACE, FIRST_TURN } from './outbox.js';
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
  PollClaim,
  PollResult,
  Refusal,
  Status,
  Store,
  StoredRequest,
} from './store.js';
import { PROMPTED_WITHIN } from './store.js';

const SWEEP_EVERY = 30_000;

/** A {@link Store} in the memory of one process, for development: a restart forgets it and no other process sees it. */
export class MemoryStore implements Store {
  readonly #requests = new Map<string, RequestRecord>();
  readonly #now: () => number;
  readonly outbox: MemoryOutbox;
  readonly prompts: MemoryPrompts;
  readonly decisions: MemoryDecisions = new MemoryDecisions();
  readonly #limits: MemoryLimits;
  readonly #sweeper: NodeJS.Timeout;

  constructor(timeOffset: () => number) {
    this.#now = () => Date.now() + timeOffset();
    const find = (handle: string) => {
      const { record, status } = this.#find(handle);
      return record && status !== 'gone'
        ? { record, request: this.#stored(handle, record, status) }
        : undefined;
    };
    this.outbox = new MemoryOutbox(this.#now, find);
    this.prompts = new MemoryPrompts(this.#now, find);
    this.#limits = new MemoryLimits(this.#now);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_EVERY);
    this.#sweeper.unref();
  }

  async create(request: NewRequest): Promise<'created' | Refusal> {
    if (this.#requests.has(request.handle)) return 'created';
    const refused = this.#limits.admit(request);
    if (refused) return refused;
    const expiresAt = this.#now() + request.lifetime;
    const { callback, prompted } = request;
    if (callback && request.tellExpiry) await this.outbox.schedule(request.handle, request.lifetime);
    if (prompted) await this.prompts.schedule(request.handle, PROMPTED_WITHIN);
    this.#requests.set(request.handle, {
      clientId: request.clientId,
      accountId: request.accountId,
      payload: request.payload,
      expiresAt,
      keepUntil: expiresAt + request.retention,
      status: 'pending',
      interval: request.interval,
      ...(callback && {
        delivery: { state: 'waiting', attempts: 0, turn: FIRST_TURN, dueAt: 0, callback },
      }),
      ...(prompted && { prompt: { turn: FIRST_TURN, advanced: {} } }),
    });
    // Whoever blocks the client reads the list after that: either sees the other.
    if (this.#limits.isBlocked(request)) {
      await this.remove(request.handle, request);
      return 'blocked';
    }
    return 'created';
  }

  async read(handle: string): Promise<StoredRequest | undefined> {
    const { record, status } = this.#find(handle);
    return record && status !== 'gone' ? this.#stored(handle, record, status) : undefined;
  }

  async list(accountId: string): Promise<StoredRequest[]> {
    return this.#pendingOf(accountId)
      .map(([handle, record]) => this.#stored(handle, record, 'pending'))
      .sort((one, other) => one.expiresAt - other.expiresAt);
  }

  async poll({ handle, clientId, operation, claim }: PollAttempt): Promise<PollResult> {
    const { record, status } = this.#find(handle);
    if (!record || status === 'gone') return { result: 'gone' };
    if (record.clientId !== clientId) return { result: 'foreign' };
    const remaining = record.expiresAt - this.#now();
    const decision = record.decided?.decision ?? '';
    if (status === 'pending') return { ...pollPending(record, this.#now(), operation), remaining };
    // What a client is told of may be pushed to it, and is not redeemed then.
    const claims = claim !== undefined && (status === 'claimed' || record.delivery === undefined);
    const claimed = claims && this.#claim(record, status, claim).result === 'won';
    if (status === 'approved' || claimed) {
      const { accountId, payload } = record;
      return { result: 'approved', accountId, remaining, payload, decision, claimed };
    }
    if (status === 'denied') return { result: status, decision };
    if (status === 'claimed') return { result: status, wait: this.#leaseLeft(record) };
    return this.#inDoubt(record) ?? { result: status };
  }

  async statusOf(handle: string): Promise<Status | 'gone'> {
    return this.#find(handle).status;
  }

  async decide(attempt: DecisionAttempt): Promise<DecisionResult> {
    const { record, status } = this.#find(attempt.handle);
    if (!record || status === 'gone') return { result: 'gone' };
    if (attempt.accountId !== undefined && attempt.accountId !== record.accountId)
      return { result: 'forbidden' };
    if (record.decided?.operation !== attempt.operation) {
      if (status !== 'pending') return { result: 'conflict', status };
      const { verdict, decision, operation } = attempt;
      record.status = verdict;
      record.decided = { decision, operation, at: this.#now() };
      this.decisions.tell(attempt.handle);
    }
    const since = this.#now() - (record.decided?.at ?? 0);
    this.#limits.leave(attempt.handle, record, (attempt.cooldown ?? 0) - since);
    return { result: 'decided' };
  }

  async claim({ handle, clientId, ...claim }: ClaimAttempt): Promise<ClaimResult> {
    const { record, status } = this.#find(handle);
    if (!record || status === 'gone') return { result: 'gone' };
    if (record.clientId !== clientId) return { result: 'foreign' };
    return this.#claim(record, status, claim);
  }

  #claim(record: RequestRecord, status: Status, { token, lease }: PollClaim): ClaimResult {
    if (status === 'claimed') {
      return record.claim?.token === token
        ? { result: 'won' }
        : { result: 'claimed', wait: this.#leaseLeft(record) };
    }
    if (status !== 'approved') return this.#inDoubt(record) ?? { result: status };
    record.status = 'claimed';
    record.claim = { token, until: this.#now() + lease };
    return { result: 'won' };
  }

  async settle(handle: string, token: string, leaseLeft = 0): Promise<boolean> {
    const { record, status } = this.#find(handle);
    if (!record || status === 'gone' || record.claim?.token !== token) return false;
    if (status === 'claimed' && this.#leaseLeft(record) >= leaseLeft) record.status = 'redeemed';
    if (record.status !== 'redeemed') return false;
    record.doubtUntil = this.#now() + DOUBT;
    return true;
  }

  async confirm(handle: string): Promise<void> {
    const { record } = this.#find(handle);
    delete record?.doubtUntil;
  }

  async release(handle: string, token: string): Promise<void> {
    const { record, status } = this.#find(handle);
    if (record?.claim?.token !== token || (status !== 'claimed' && status !== 'redeemed')) return;
    record.status = 'approved';
    delete record.claim;
    delete record.doubtUntil;
    delete record.answer;
  }

  async keepAnswer(handle: string, token: string, { sealed, lifetime }: KeptAnswer): Promise<void> {
    const { record } = this.#find(handle);
    if (record?.status !== 'redeemed' || record.claim?.token !== token) return;
    record.answer = { sealed, until: this.#now() + lifetime };
    delete record.doubtUntil;
  }

  async answerOf(handle: string): Promise<string | undefined> {
    const answer = this.#requests.get(handle)?.answer;
    return answer && this.#now() < answer.until ? answer.sealed : undefined;
  }

  async remove(handle: string, owner?: Owner): Promise<void> {
    const found = owner ?? this.#requests.get(handle);
    this.#requests.delete(handle);
    if (found) this.#limits.leave(handle, found);
  }

  async block(accountId: string, clientId: string, lifetime: number): Promise<void> {
    this.#limits.block(accountId, clientId, lifetime);
  }

  async unblock(accountId: string, clientId: string): Promise<void> {
    this.#limits.unblock(accountId, clientId);
  }

  async guess(guess: Guess): Promise<boolean> {
    return this.#limits.guess(guess);
  }

  async guessedRight(guess: Guess): Promise<void> {
    this.#limits.guessedRight(guess);
  }

  async takeBackGuess(guess: Guess): Promise<void> {
    this.#limits.takeBackGuess(guess);
  }

  async useOnce(kind: string, id: string, lifetime: number, operation: string): Promise<boolean> {
    return this.#limits.useOnce(kind, id, lifetime, operation);
  }

  async health(): Promise<StoreHealth> {
    return { state: 'ok', reason: undefined, latency: 0, restarts: undefined, evictionPolicy: undefined };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#requests.clear();
  }

  #find(handle: string): { record: RequestRecord | undefined; status: Status | 'gone' } {
    const record = this.#requests.get(handle);
    return { record, status: record ? statusAt(record, this.#now()) : 'gone' };
  }

  #pendingOf(accountId: string): [string, RequestRecord][] {
    const now = this.#now();
    return [...this.#requests].filter(
      ([, record]) => record.accountId === accountId && statusAt(record, now) === 'pending',
    );
  }

  #inDoubt(record: RequestRecord): { result: 'claimed'; wait: number } | undefined {
    const wait = doubtLeft(record, this.#now());
    return wait > 0 ? { result: 'claimed', wait } : undefined;
  }

  #leaseLeft(record: RequestRecord): number {
    return Math.max(0, (record.claim?.until ?? 0) - this.#now());
  }

  #stored(handle: string, record: RequestRecord, status: Status): StoredRequest {
    return {
      handle,
      status,
      clientId: record.clientId,
      accountId: record.accountId,
      expiresAt: record.expiresAt,
      remaining: Math.max(0, record.expiresAt - this.#now()),
      payload: record.payload,
      decision: record.decided?.decision,
      told: record.delivery !== undefined,
      prompted: record.prompt !== undefined,
    };
  }

  #sweep(): void {
    const now = this.#now();
    this.#limits.sweep();
    for (const [handle, record] of this.#requests) {
      if (statusAt(record, now) === 'gone') this.#requests.delete(handle);
      else if (record.answer && now >= record.answer.until) delete record.answer;
      // As Redis does: what nobody decided keeps no secret beyond its end.
      else if (record.status === 'pending' && now >= record.expiresAt + EXPIRY_GRACE) {
        delete record.delivery?.callback;
      }
    }
  }
}
