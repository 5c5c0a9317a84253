import type { Prompts as StoredPrompts } from '../store/prompts.js';
import type { Leg, LegState, Progress } from './chain.js';
import type { ChannelFailure } from './channel.js';

/** How far reaching a person has come, as an operator may see it. */
export interface PromptView {
  /** Names the request. */
  readonly handle: string;
  readonly clientId: string;
  readonly accountId: string;
  /** The channels of its chain, in order. Empty where nothing was begun yet, or nobody is to be reached. */
  readonly channels: readonly ChannelView[];
}

/** Where one channel of a chain stands. */
export interface ChannelView {
  readonly channel: string;
  /** Which step of the chain it belongs to, from 1. */
  readonly step: number;
  /**
   * `waiting` for its step, `trying`, `sent`, `failed` where it was given up; once the request has ended, `dismissed` where the prompt was
   * taken away and `left` where it could not be.
   */
  readonly state: LegState;
  /** How often sending was tried. */
  readonly attempts: number;
  /** Why the last try failed. */
  readonly last: ChannelFailure | undefined;
  /** When it is tried next, by the store's clock. */
  readonly nextAttemptAt: Date | undefined;
}

/** Looks at how people are reached, for operators. */
export class Prompts {
  readonly #stored: StoredPrompts;

  constructor(stored: StoredPrompts) {
    this.#stored = stored;
  }

  /**
   * The chain of one request by its handle, or nothing where its person is not prompted or its retention is over.
   * @throws {CibaError} `store_unavailable`
   */
  async get(handle: string): Promise<PromptView | undefined> {
    const found = await this.#stored.find(handle);
    if (!found) return undefined;
    const { clientId, accountId } = found.request;
    const legs = found.progress === undefined ? [] : (JSON.parse(found.progress) as Progress).legs;
    return { handle, clientId, accountId, channels: legs.map(viewOf) };
  }
}

function viewOf({ channel, step, state, attempts, last, dueAt }: Leg): ChannelView {
  const nextAttemptAt = state === 'trying' && attempts > 0 ? new Date(dueAt) : undefined;
  return { channel, step: step + 1, state, attempts, last, nextAttemptAt };
}
