import type { Emitter } from '../emitter.js';
import { CibaError } from '../errors.js';
import { tellingModeOf } from '../request/payload.js';
import type { DeliveryState, Outbox, StoredDelivery } from '../store/outbox.js';
import type { Status } from '../store/store.js';
import type { TellingMode } from './callback.js';
import { readNote } from './note.js';
import type { DeliveryQueue } from './queue.js';

/** How far the telling of a client has come, as an operator may see it: no secret is among it. */
export interface DeliveryView {
  /** Names the request. */
  readonly handle: string;
  readonly clientId: string;
  readonly accountId: string;
  readonly mode: TellingMode;
  /** `waiting` for the decision or the next attempt, `delivered`, or `failed` when it was given up. */
  readonly state: DeliveryState;
  /** Where the request itself stands. */
  readonly requestStatus: Status;
  /** How often something was sent. */
  readonly attempts: number;
  /** What the last attempt came to: a status code, or a word such as `timeout`, `connection`, `tls`, `dns`, `refused`. */
  readonly last: string | undefined;
  /** When the next attempt is due, by the store's clock. */
  readonly nextAttemptAt: Date | undefined;
  /** When the request ends, and with it every further attempt. */
  readonly expiresAt: Date;
}

/** Which deliveries are listed. */
export interface ListedDeliveries {
  /** Default: both. */
  readonly state?: 'waiting' | 'failed' | undefined;
  /** How many at most. Default 100. */
  readonly limit?: number | undefined;
}

/** How soon a delivery is looked at whose retry was noted, in milliseconds. */
const NOTED_FOR = 1_000;

/** Looks at the deliveries of ping and push clients, for operators. */
export class Deliveries {
  readonly #outbox: Outbox;
  readonly #events: Emitter;
  readonly #queue: () => DeliveryQueue | undefined;

  constructor(outbox: Outbox, queue: () => DeliveryQueue | undefined, events: Emitter) {
    this.#outbox = outbox;
    this.#events = events;
    this.#queue = queue;
  }

  /**
   * What is due, the next one in front, and what has been given up, the last one in front. What was delivered is not listed.
   * @throws {CibaError} `store_unavailable`
   */
  async list({ state, limit = 100 }: ListedDeliveries = {}): Promise<DeliveryView[]> {
    const { waiting, failed } = await this.#outbox.list();
    const handles = [
      ...new Set([
        ...(state === 'failed' ? [] : waiting),
        ...(state === 'waiting' ? [] : [...failed].reverse()),
      ]),
    ];
    const views: DeliveryView[] = [];
    // What is in an index may be over: some more are looked at until there are enough.
    for (let from = 0; from < handles.length && views.length < limit; from += limit) {
      const found = await Promise.all(handles.slice(from, from + limit).map((handle) => this.get(handle)));
      const there = found.filter((view) => view !== undefined);
      const wanted = ({ state: its }: DeliveryView): boolean => (state ? its === state : its !== 'delivered');
      views.push(...there.filter(wanted));
    }
    return views.slice(0, limit);
  }

  /**
   * One delivery by its request's handle, or nothing where the client polls or the request's retention is over.
   * @throws {CibaError} `store_unavailable`
   */
  async get(handle: string): Promise<DeliveryView | undefined> {
    const found = await this.#outbox.find(handle);
    return found && viewOf(found);
  }

  /**
   * Tells the client now: the next attempt of one that waits, or once more where it was given up. Not beyond the request's end,
   * and not where the tokens of a push have been revoked.
   * @throws {CibaError} `not_deliverable`, `store_unavailable`, `not_attached`
   */
  async retry(handle: string): Promise<void> {
    const queue = this.#queue();
    if (!queue) throw new CibaError('not_attached', 'call ciba.router(provider) before retrying a delivery');
    const found = await this.#outbox.find(handle);
    if (found?.request.decision === undefined || found.state === 'delivered') throw nothingLeft();
    // Noted first, so that a process which dies in between leaves a trace; and then, because whoever gave it up may only now leave.
    await this.#outbox.schedule(handle, NOTED_FOR);
    const turn = await this.#outbox.reopen(handle);
    if (turn === undefined) throw nothingLeft();
    this.#events.emit('delivery.retried', { handle, clientId: found.request.clientId });
    await this.#outbox.schedule(handle, NOTED_FOR);
    // What is not heard here is found in the outbox.
    await queue.add(handle, turn).catch(() => {});
  }
}

const nothingLeft = (): CibaError => new CibaError('not_deliverable', 'there is nothing left to deliver');

function viewOf({ request, state, attempts, note, dueAt }: StoredDelivery): DeliveryView {
  return {
    handle: request.handle,
    clientId: request.clientId,
    accountId: request.accountId,
    mode: tellingModeOf(request.payload),
    state,
    requestStatus: request.status,
    attempts,
    last: readNote(note).last,
    nextAttemptAt: state === 'waiting' && dueAt > 0 ? new Date(dueAt) : undefined,
    expiresAt: new Date(request.expiresAt),
  };
}
