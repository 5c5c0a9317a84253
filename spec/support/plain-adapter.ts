import type { Adapter, AdapterPayload } from 'oidc-provider';

interface Entry {
  payload: AdapterPayload;
  readonly expiresAt: number;
}

/**
 * The store that a server writes for oidc-provider: every call answers some turns of the event loop later, a payload is
 * overwritten as a whole, `consume` asks no question, and a record is gone at the second its time is up.
 */
export class PlainStore {
  readonly #tables = new Map<string, PlainTable>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The `adapter` of a provider's configuration. */
  readonly adapter = (model: string): PlainTable => {
    const table = this.#tables.get(model) ?? new PlainTable(() => this.#now());
    this.#tables.set(model, table);
    return table;
  };

  /** How many records of a model are live. */
  count(model: string): number {
    return this.adapter(model).count();
  }

  /** Lets the next reads of a model answer only when so many are under way, as they are on a busy server. */
  gather(model: string, readers: number): void {
    this.adapter(model).gather(readers);
  }
}

class PlainTable implements Adapter {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  #waiting: (() => void)[] = [];
  #readers = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  count(): number {
    return [...this.#entries.keys()].filter((id) => this.#live(id)).length;
  }

  gather(readers: number): void {
    this.#readers = readers;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    await turns();
    const expiresAt = expiresIn ? this.#now() + expiresIn * 1000 : Number.POSITIVE_INFINITY;
    this.#entries.set(id, { payload: structuredClone(payload), expiresAt });
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    await turns();
    const found = structuredClone(this.#live(id));
    await this.#gathered();
    return found;
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findBy('uid', uid);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findBy('userCode', userCode);
  }

  async consume(id: string): Promise<void> {
    await turns();
    const payload = this.#live(id);
    if (payload) payload.consumed = Math.floor(this.#now() / 1000);
  }

  async destroy(id: string): Promise<void> {
    await turns();
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await turns();
    for (const [id, { payload }] of this.#entries) {
      if (payload.grantId === grantId) this.#entries.delete(id);
    }
  }

  #live(id: string): AdapterPayload | undefined {
    const entry = this.#entries.get(id);
    return entry && entry.expiresAt > this.#now() ? entry.payload : undefined;
  }

  async #findBy(field: 'uid' | 'userCode', value: string): Promise<AdapterPayload | undefined> {
    const found = [...this.#entries].find(([, { payload }]) => payload[field] === value);
    return found && this.find(found[0]);
  }

  async #gathered(): Promise<void> {
    if (this.#readers === 0) return;
    const waiting = this.#waiting;
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length < this.#readers) return;
      this.#readers = 0;
      this.#waiting = [];
      for (const answer of waiting) answer();
    });
  }
}

/** Some turns of the event loop, as a round trip to a store takes. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
