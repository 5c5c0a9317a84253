import type { EventEmitter } from 'node:events';
import type { Store } from '../store/store.js';

/** How often a request that is waited for is looked at, in milliseconds: news of its decision may have been lost. */
const LOOK_EVERY = 5_000;

/** How many are looked at at a time. */
const AT_A_TIME = 100;

/** Why a wait ended: there is news of the request, its time is up, its client has gone, or the process ends. */
export type News = 'decided' | 'over' | 'gone' | 'closing';

/** Who waits for the answer: emits `close` once they have gone. */
export type Waiting = Pick<EventEmitter, 'once' | 'off'> & { readonly destroyed: boolean };

/** A place of one poll that is held until there is news of its request. What comes before it waits is not lost. */
export class Place {
  #news: News | undefined;
  #tell: ((news: News) => void) | undefined;

  tell(news: News): void {
    this.#news ??= news;
    this.#tell?.(this.#news);
  }

  /** Waits for so many milliseconds at most. */
  async wait(milliseconds: number, client: Waiting): Promise<News> {
    if (client.destroyed) return 'gone';
    if (this.#news) return this.#news;
    const gone = (): void => this.tell('gone');
    client.once('close', gone);
    const timer = setTimeout(() => this.tell('over'), milliseconds);
    try {
      return await new Promise((resolve) => {
        this.#tell = resolve;
      });
    } finally {
      clearTimeout(timer);
      client.off('close', gone);
    }
  }
}

/** The polls that this process holds: a bounded number, each woken by news of its request. */
export class HeldPolls {
  readonly #store: Store;
  readonly #most: number;
  readonly #places = new Map<string, Set<Place>>();
  #taken = 0;
  #listening: Promise<void> | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** Those that have yet to be looked at this time. */
  readonly #toLookAt: string[] = [];
  #closed = false;

  constructor(store: Store, most: number) {
    this.#store = store;
    this.#most = most;
  }

  /** How many there are. */
  get count(): number {
    return this.#taken;
  }

  /** A place for a poll of this request, from before it is polled; nothing where there is none left. To be given back. */
  async take(handle: string): Promise<Place | undefined> {
    if (this.#closed || this.#taken >= this.#most) return undefined;
    this.#taken += 1;
    const place = new Place();
    const others = this.#places.get(handle);
    if (others) others.add(place);
    else this.#places.set(handle, new Set([place]));
    this.#looking ??= setInterval(() => this.#lookAtAll(), LOOK_EVERY).unref();
    // Where nothing can be heard now, the looks find what is decided.
    this.#listening ??= this.#store.decisions.listen((heard) => this.#hear(heard)).catch(() => {});
    await this.#listening;
    return place;
  }

  giveBack(handle: string, place: Place): void {
    this.#taken -= 1;
    const places = this.#places.get(handle);
    places?.delete(place);
    if (places?.size === 0) this.#places.delete(handle);
    if (this.#taken > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  /** Lets all go, and holds none from now on. */
  close(): void {
    this.#closed = true;
    for (const handle of this.#places.keys()) this.#tell(handle, 'closing');
  }

  #hear(handle: string | undefined): void {
    if (handle === undefined) this.#lookAtAll();
    else this.#tell(handle, 'decided');
  }

  #tell(handle: string, news: News): void {
    for (const place of this.#places.get(handle) ?? []) place.tell(news);
  }

  #lookAtAll(): void {
    if (this.#toLookAt.length > 0) return;
    this.#toLookAt.push(...this.#places.keys());
    for (let index = 0; index < AT_A_TIME; index += 1) this.#look();
  }

  async #look(): Promise<void> {
    for (let handle = this.#toLookAt.pop(); handle !== undefined; handle = this.#toLookAt.pop()) {
      try {
        if ((await this.#store.statusOf(handle)) !== 'pending') this.#tell(handle, 'decided');
      } catch {
        // Where one is not answered the others would not be: there is a next time.
        this.#toLookAt.length = 0;
      }
    }
  }
}
