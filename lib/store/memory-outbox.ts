import { createHash } from 'node:crypto';
import type { RequestRecord } from './lifecycle.js';
import {
  type DeliveryState,
  type Ending,
  LATE_AFTER,
  type Outbox,
  type Postponement,
  type StoredDelivery,
  TAKEN_FOR,
} from './outbox.js';
import type { StoredRequest } from './store.js';

type Find = (
  handle: string,
) => { readonly record: RequestRecord; readonly request: StoredRequest } | undefined;

/** An {@link Outbox} in the memory of one process, over the requests that are there. */
export class MemoryOutbox implements Outbox {
  readonly #now: () => number;
  readonly #find: Find;
  readonly #waiting = new Map<string, number>();
  readonly #failed = new Map<string, number>();

  constructor(now: () => number, find: Find) {
    this.#now = now;
    this.#find = find;
  }

  async schedule(handle: string, delay: number): Promise<void> {
    this.#waiting.set(handle, this.#now() + Math.round(delay));
  }

  async due(limit: number): Promise<{ handle: string; turn: number }[]> {
    const now = this.#now();
    const handles = byTime(this.#waiting).filter((handle) => (this.#waiting.get(handle) ?? 0) <= now);
    return handles.slice(0, limit).map((handle) => {
      this.#waiting.set(handle, now + TAKEN_FOR);
      return { handle, turn: this.#delivery(handle)?.turn ?? 0 };
    });
  }

  async list(): Promise<{ waiting: string[]; failed: string[] }> {
    this.#prune();
    return { waiting: byTime(this.#waiting), failed: byTime(this.#failed) };
  }

  async late(): Promise<number> {
    const before = this.#now() - LATE_AFTER;
    return [...this.#waiting.values()].filter((at) => at <= before).length;
  }

  async find(handle: string): Promise<StoredDelivery | undefined> {
    const { record, request } = this.#find(handle) ?? {};
    const delivery = record?.delivery;
    if (!delivery || !request) return undefined;
    const { state, attempts, turn, dueAt, note, callback, body } = delivery;
    return { request, state, attempts, turn, dueAt, note, callback, body };
  }

  async keepBody(handle: string, body: string): Promise<string | undefined> {
    const delivery = this.#delivery(handle);
    const kept = createHash('sha256').update(body).digest('base64url');
    // A repeat of the one that was delivered must not be told that it is of no use: its tokens are with the client.
    if (delivery?.state === 'delivered' && delivery.kept === kept) return body;
    if (delivery?.state !== 'waiting' || delivery.callback === undefined) return undefined;
    if (delivery.body === undefined) Object.assign(delivery, { body, kept });
    return delivery.body;
  }

  async postpone(handle: string, { turn, delay, sent, note }: Postponement): Promise<boolean> {
    const delivery = this.#delivery(handle);
    if (delivery?.state !== 'waiting') return false;
    if (delivery.postponed !== turn) {
      if (delivery.turn !== turn) return false;
      const dueAt = this.#now() + Math.round(delay);
      const attempts = delivery.attempts + Number(sent);
      Object.assign(delivery, { turn: turn + 1, attempts, dueAt, note, postponed: turn });
    }
    this.#waiting.set(handle, Math.max(this.#now(), delivery.dueAt));
    return true;
  }

  async end(
    handle: string,
    { state, turn, becomes, sent, note }: Ending,
  ): Promise<DeliveryState | undefined> {
    const { record } = this.#find(handle) ?? {};
    const delivery = record?.delivery;
    if (!record || delivery?.state !== 'waiting') return delivery?.state;
    if (turn !== undefined && turn !== delivery.turn) return delivery.state;
    Object.assign(delivery, { state, attempts: delivery.attempts + Number(sent), dueAt: 0, note });
    if (becomes !== undefined && record.status === 'approved') record.status = becomes;
    return state;
  }

  async leave(handle: string, how: { secrets: boolean; failedFor?: number }): Promise<void> {
    const delivery = this.#delivery(handle);
    if (delivery && how.secrets) {
      delete delivery.callback;
      delete delivery.body;
    }
    this.#prune();
    if (how.failedFor !== undefined) this.#failed.set(handle, this.#now() + Math.round(how.failedFor));
    this.#waiting.delete(handle);
  }

  async reopen(handle: string): Promise<number | undefined> {
    const { record, request } = this.#find(handle) ?? {};
    const delivery = record?.delivery;
    if (!delivery || !request || request.status === 'pending' || request.remaining === 0) return undefined;
    // Its tokens are destroyed or about to be, though its callback may still be there.
    if (request.status === 'undeliverable' || delivery.callback === undefined) return undefined;
    if (delivery.state === 'delivered') return undefined;
    if (delivery.state === 'failed') {
      Object.assign(delivery, { state: 'waiting', turn: delivery.turn + 1, dueAt: this.#now() });
    }
    this.#failed.delete(handle);
    return delivery.turn;
  }

  #prune(): void {
    for (const [handle, until] of this.#failed) if (until <= this.#now()) this.#failed.delete(handle);
  }

  #delivery(handle: string): RequestRecord['delivery'] {
    return this.#find(handle)?.record.delivery;
  }
}

const byTime = (index: ReadonlyMap<string, number>): string[] =>
  [...index].sort(([, one], [, other]) => one - other).map(([handle]) => handle);
