import type { HeldPolls } from './request/held-polls.js';
import type { StoreHealth } from './store/health.js';
import type { Store } from './store/store.js';

/** How a part of the work beside the HTTP requests does: telling clients, or prompting people. */
export interface WorkHealth {
  /** Whether this process does it; another one may. */
  readonly working: boolean;
  /**
   * How many requests should have been taken more than three seconds ago, and no process has: 0, or it falls. Where it grows, the processes
   * that do this are gone, or have too much to do. Nothing where the store did not say.
   */
  readonly late: number | undefined;
}

/** How this process does: made by {@link Ciba.health}. */
export interface Health {
  /** Whether requests can be taken: the store is `ok`, and {@link Ciba.close} has not been called. */
  readonly ready: boolean;
  /** Whether {@link Ciba.close} was called. */
  readonly closing: boolean;
  readonly store: StoreHealth;
  /** Telling ping and push clients; nothing where neither mode is on. */
  readonly deliveries: WorkHealth | undefined;
  /** Prompting people; nothing where there are no channels. */
  readonly prompts: WorkHealth | undefined;
  /** How many polls this process holds. */
  readonly heldPolls: number;
}

/** What is looked at. */
export interface HealthParts {
  readonly store: Store;
  readonly closing: () => boolean;
  readonly held: HeldPolls | undefined;
  readonly delivery: Worked | undefined;
  readonly prompting: Worked | undefined;
}

interface Worked {
  here(): boolean;
}

/** Looks how this process does. It takes a second at most, and says what it has not found out. */
export async function healthOf({ store, closing, held, delivery, prompting }: HealthParts): Promise<Health> {
  const of = async (work: Worked | undefined, index: Lateness): Promise<WorkHealth | undefined> =>
    work && { working: work.here(), late: await index.late().catch(() => undefined) };
  const [found, deliveries, prompts] = await Promise.all([
    store.health(),
    of(delivery, store.outbox),
    of(prompting, store.prompts),
  ]);
  return {
    ready: found.state === 'ok' && !closing(),
    closing: closing(),
    store: found,
    deliveries,
    prompts,
    heldPolls: held?.count ?? 0,
  };
}

type Lateness = Pick<Store['outbox'], 'late'>;
