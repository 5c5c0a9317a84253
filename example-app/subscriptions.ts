import { people } from './accounts.js';
import type { Storage } from './storage.js';

/** Where a browser hears of push messages, as its `PushSubscription` says it. */
export interface Subscription {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

/** How many devices an account may have notified. */
const MOST = 10;

/** The browsers of each account that want to be notified. */
export class Subscriptions {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async of(accountId: string): Promise<Subscription[]> {
    const found = await this.#storage.entries(groupOf(accountId));
    return [...found.values()].map((text) => JSON.parse(text) as Subscription);
  }

  /** Adds a browser, unless the account has as many as it may. A browser is notified for whoever came last. */
  async add(accountId: string, subscription: Subscription): Promise<boolean> {
    const { endpoint } = subscription;
    const known = await this.#storage.entries(groupOf(accountId));
    if (known.size >= MOST && !known.has(endpoint)) return false;
    await this.#storage.set(groupOf(accountId), endpoint, JSON.stringify(subscription));
    const others = people.filter(({ id }) => id !== accountId);
    await Promise.all(others.map(({ id }) => this.remove(id, endpoint)));
    return true;
  }

  async remove(accountId: string, endpoint: string): Promise<void> {
    await this.#storage.remove(groupOf(accountId), endpoint);
  }
}

/**
 * A subscription as the page sent it, its lengths those of RFC 8291, or nothing. Whether the server may be led to this address is the
 * channel's to say, each time it sends.
 */
export function subscriptionIn(value: unknown): Subscription | undefined {
  const { endpoint, keys } = (value ?? {}) as { endpoint?: unknown; keys?: unknown };
  const { p256dh, auth } = (keys ?? {}) as { p256dh?: unknown; auth?: unknown };
  if (typeof endpoint !== 'string' || endpoint.length > 1000 || !URL.canParse(endpoint)) return undefined;
  if (!/^https?:$/.test(new URL(endpoint).protocol)) return undefined;
  if (typeof p256dh !== 'string' || !/^[\w-]{87}=?$/.test(p256dh)) return undefined;
  if (typeof auth !== 'string' || !/^[\w-]{22}(==)?$/.test(auth)) return undefined;
  return { endpoint, keys: { p256dh, auth } };
}

const groupOf = (accountId: string): string => `subscriptions:${accountId}`;
