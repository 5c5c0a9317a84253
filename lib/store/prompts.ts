import type { StoredRequest } from './store.js';

/** Where the reaching of a person stands, as of the store's clock. */
export interface StoredPrompt {
  readonly request: StoredRequest;
  /** Which turn it is: it grows by one with every {@link Prompts.advance}. The first is 1. */
  readonly turn: number;
  /** How far the chain has come, opaque to the store; nothing before the first turn has ended. */
  readonly progress: string | undefined;
}

/** How a turn ended. */
export interface Advance {
  /** The turn that ends. */
  readonly turn: number;
  readonly progress: string;
  /** Milliseconds until the next turn. */
  readonly delay: number;
  /** Names this end of the turn. */
  readonly operation: string;
}

/**
 * Which people have to be prompted, or their prompts taken away, and how far that is. A request enters it when `Store.create` is told so. The
 * index only says which requests to look at, and when: one too many is harmless.
 *
 * Every method may be repeated, and a repeat is told what the first was told. Only what `due` took is not taken by a repeat: it is due
 * again after {@link PROMPT_TAKEN_FOR}. A method whose answer did not come in time rejects with a `store_unavailable` `CibaError`.
 */
export interface Prompts {
  /** Notes that a request has to be looked at in so many milliseconds; it replaces what was noted before. */
  schedule(handle: string, delay: number): Promise<void>;
  /** Takes requests whose time has come, so that nobody else takes them for a while. One that is gone has turn 0. */
  due(limit: number): Promise<readonly { readonly handle: string; readonly turn: number }[]>;
  /** How many are due for more than `LATE_AFTER`, and were not taken. */
  late(): Promise<number>;
  /** Where the prompting of this request stands; nothing where it is not prompted, or gone. */
  find(handle: string): Promise<StoredPrompt | undefined>;
  /**
   * Ends a turn, and notes when the next one is; `false` where that turn is not the present one: of two that took it, the first to end it
   * stands. What is noted for within {@link ANNOUNCED_WITHIN} stays: that is a decision on its way.
   */
  advance(handle: string, advance: Advance): Promise<boolean>;
  /** Leaves the index: there is nothing more to do. */
  leave(handle: string): Promise<void>;
}

/**
 * How long a request that was taken is left to whoever took it, in milliseconds: longer than the longest turn, from the moment in which the
 * index gave it until its end is written.
 */
export const PROMPT_TAKEN_FOR = 12_000;

/** How soon a request is looked at, at the latest, that is about to be decided, in milliseconds: noted before the decision is written. */
export const ANNOUNCED_WITHIN = 1_000;
