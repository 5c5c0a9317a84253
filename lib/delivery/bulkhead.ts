/** How many sends to one origin may be under way at a time in this process. */
const PLACES = 8;

/** How long a send waits for a place, and how old a send is that is taken to hang, in milliseconds. */
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

  /** Waits for a place, not for long: `stuck` says that the sends to this origin hang. */
  async enter(origin: string): Promise<Leave | 'stuck'> {
    const entry = this.#origins.get(origin) ?? { places: new Set(), waiting: new Set() };
    this.#origins.set(origin, entry);
    if (entry.places.size < PLACES) return this.#take(origin, entry);
    const [oldest] = entry.places;
    if (oldest && this.#now() - oldest.began > PATIENCE) return 'stuck';
    return new Promise((resolve) => {
      const given = (leave: Leave): void => {
        clearTimeout(timer);
        resolve(leave);
      };
      const timer = setTimeout(() => {
        entry.waiting.delete(given);
        resolve('stuck');
      }, PATIENCE);
      entry.waiting.add(given);
    });
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
