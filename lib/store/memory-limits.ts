import type { Guess, NewRequest, Owner, Refusal } from './store.js';

/** Names, each with the time until which it counts. */
type Counted = Map<string, number>;

/** What stands for a block among the refusals: no handle is like it. */
const BLOCK = '!';

/**
 * Who has which places, in the memory of one process: the twin of the scripts `reserve`, `admit`, `leave`, `block`, `unblock`, `guess` and
 * `once`.
 */
export class MemoryLimits {
  readonly #now: () => number;
  readonly #sets = new Map<string, Counted>();
  /** How long an expired request may count as a refusal. */
  #cooldown = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes the places of a new request, or says which limit is reached. */
  admit({ handle, clientId, accountId, lifetime, limits }: NewRequest): Refusal | undefined {
    const now = this.#now();
    this.#cooldown = Math.max(this.#cooldown, limits.cooldown);
    const pair = this.#set('pair', accountId, clientId);
    const refused = this.#set('refused', accountId, clientId);
    const [client, account] = [this.#set('client', clientId), this.#set('account', accountId)];
    for (const set of [client, account, refused]) this.#prune(set);
    // What was not answered stays for as long as it counts.
    this.#prune(pair, limits.refusals === undefined ? now : now - limits.cooldown);
    const pending = [...pair.values()].filter((end) => end > now).length;
    const unanswered = pair.size - pending;
    if (account.has(handle)) return undefined;
    if (isFull(client.size, limits.client)) return 'client';
    if (refused.has(BLOCK)) return 'blocked';
    if (isFull(refused.size + unanswered, limits.refusals)) return 'refusals';
    if (isFull(account.size, limits.account)) return 'account';
    if (isFull(pending, limits.accountAndClient)) return 'account_and_client';
    const until = now + lifetime;
    account.set(handle, until);
    if (limits.accountAndClient !== undefined || limits.refusals !== undefined) pair.set(handle, until);
    if (limits.client !== undefined) client.set(handle, until);
    return undefined;
  }

  /** Leaves the places of a request, and counts its refusal where it is one. */
  leave(handle: string, { clientId, accountId }: Owner, cooldown = 0): void {
    this.#set('account', accountId).delete(handle);
    this.#set('pair', accountId, clientId).delete(handle);
    this.#set('client', clientId).delete(handle);
    if (cooldown <= 0) return;
    const refused = this.#set('refused', accountId, clientId);
    // A repeat counts no longer than the first.
    if (!refused.has(handle)) refused.set(handle, this.#now() + cooldown);
  }

  block(accountId: string, clientId: string, lifetime: number): void {
    const refused = this.#set('refused', accountId, clientId);
    refused.set(BLOCK, Math.max(refused.get(BLOCK) ?? 0, this.#now() + Math.round(lifetime)));
  }

  isBlocked({ accountId, clientId }: Owner): boolean {
    return (this.#set('refused', accountId, clientId).get(BLOCK) ?? 0) > this.#now();
  }

  unblock(accountId: string, clientId: string): void {
    this.#set('refused', accountId, clientId).clear();
    this.#prune(this.#set('pair', accountId, clientId));
  }

  guess({ accountId, clientId, operation, most, lifetime }: Guess): boolean {
    const [account, pair] = [this.#set('guesses', accountId), this.#set('guesses', accountId, clientId)];
    this.#prune(account);
    this.#prune(pair);
    if (pair.has(operation)) return true;
    if (isFull(account.size, most.account) || isFull(pair.size, most.accountAndClient)) return false;
    for (const set of [account, pair]) set.set(operation, this.#now() + lifetime);
    return true;
  }

  guessedRight({ accountId, clientId, operation }: Guess): void {
    this.#set('guesses', accountId).delete(operation);
    this.#set('guesses', accountId, clientId).clear();
  }

  takeBackGuess({ accountId, clientId, operation }: Guess): void {
    this.#set('guesses', accountId).delete(operation);
    this.#set('guesses', accountId, clientId).delete(operation);
  }

  useOnce(kind: string, id: string, lifetime: number, operation: string): boolean {
    const used = this.#set('once', kind, id);
    this.#prune(used);
    if (used.size === 0) used.set(operation, this.#now() + lifetime);
    return used.has(operation);
  }

  /** Forgets what counts no more. */
  sweep(): void {
    const now = this.#now();
    for (const [name, set] of this.#sets) {
      const time = name.startsWith('["pair"') ? now - this.#cooldown : now;
      for (const [entry, until] of set) if (until <= time) set.delete(entry);
      if (set.size === 0) this.#sets.delete(name);
    }
  }

  #set(...name: readonly string[]): Counted {
    const key = JSON.stringify(name);
    const found = this.#sets.get(key) ?? new Map<string, number>();
    this.#sets.set(key, found);
    return found;
  }

  #prune(set: Counted, time: number = this.#now()): void {
    for (const [name, until] of set) if (until <= time) set.delete(name);
  }
}

const isFull = (count: number, places: number | undefined): boolean =>
  places !== undefined && count >= places;
