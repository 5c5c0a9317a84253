/** How many sends to one origin may be under way at a time in this process. */
const PLACES = 8;

/** How old a send is that is taken to hang, and how often one that waits for its place looks, in milliseconds. */
const PATIENCE = 1_000;

/** Gives a place back. Calling it again does nothing. */
export type Leave = () => void;

interface Origin {
  /** When each send under way began, the oldest first. */
  readonly places: Set<{ readonly began: number }>;
  /** Those who wait for a place, the first come first. */
  readonly waiting: Set<(leave: Leave) => void>;
}

/** Keeps one client's hanging endpoint from taking every send that a worker may have under way. */
export class Bulkhead {
  readonly #origins = new Map<string, Origin>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many origins have sends under way. */
  get size(): number {
    return this.#origins.size;
  }

  /** Waits for a place, as long as the sends to this origin come to an end: `stuck` says that they hang. */
  async enter(origin: string): Promise<Leave | 'stuck'> {
    const entry = this.#origins.get(origin) ?? { places: new Set(), waiting: new Set() };
    this.#origins.set(origin, entry);
    if (entry.places.size < PLACES) return this.#take(origin, entry);
    if (this.#hangs(entry)) return 'stuck';
    return new Promise((resolve) => {
      const given = (leave: Leave): void => {
        clearInterval(timer);
        resolve(leave);
      };
      const timer = setInterval(() => {
        if (!this.#hangs(entry)) return;
        clearInterval(timer);
        entry.waiting.delete(given);
        resolve('stuck');
      }, PATIENCE);
      entry.waiting.add(given);
    });
  }

  #hangs({ places }: Origin): boolean {
    const [oldest] = places;
    return oldest !== undefined && this.#now() - oldest.began >= PATIENCE;
  }

  #take(origin: string, entry: Origin): Leave {
    const place = { began: this.#now() };
    entry.places.add(place);
    return () => {
      if (!entry.places.delete(place)) return;
      const [next] = entry.waiting;
      if (next) {
        entry.waiting.delete(next);
        next(this.#take(origin, entry));
      } else if (entry.places.size === 0) {
        this.#origins.delete(origin);
      }
    };
  }
}
