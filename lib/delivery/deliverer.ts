import { within } from '../deadline.js';
import type { Emitter } from '../emitter.js';
import { CibaError } from '../errors.js';
import { type Decision, tellingModeOf } from '../request/payload.js';
import type { DeliverySettings } from '../settings/delivery.js';
import type { Outbox, StoredDelivery } from '../store/outbox.js';
import type { Bulkhead } from './bulkhead.js';
import type { Callback, TellingMode } from './callback.js';
import { pingBody } from './message.js';
import { type Note, noteOf } from './note.js';
import { type Answer, type Outgoing, reasonOf } from './outgoing.js';
import { PushMessages } from './push-messages.js';
import { type Recipients, SERVER_WITHIN, type TokenResponse } from './recipients.js';
import { delayBefore, jittered, judge } from './retry-policy.js';
import { stageOf } from './stage.js';

/** How long one message may take, in milliseconds, from the look-up of the endpoint's name to the client's answer. */
const WITHIN: Readonly<Record<TellingMode, number>> = { ping: 5_000, push: 10_000 };

/** How long it may take at least where the request is about to end, in milliseconds. */
const LEAST_WITHIN = 1_000;

/** The last attempt begins so long before the request ends, in milliseconds. */
const BEFORE_EXPIRY = 1_000;

/** How often at most a client is told of an expiry, which nothing bounds any more. */
const EXPIRY_ATTEMPTS = 5;

/** When a request whose decision was announced and did not come is looked at again, in milliseconds: first, and at last. */
const UNDECIDED_FOR = [2_000, 30_000] as const;

/** How long a message waits whose endpoint keeps too many others waiting, in milliseconds. */
const STUCK_FOR = 5_000;

/** What a deliverer works with. */
export interface DelivererParts {
  readonly outbox: Outbox;
  readonly outgoing: Outgoing;
  readonly bulkhead: Bulkhead;
  readonly recipients: Recipients;
  readonly events: Emitter;
  readonly settings: DeliverySettings;
  /** How long a request is remembered after its end, in milliseconds. */
  readonly retention: number;
}

/** A turn under way. */
interface Turn {
  readonly due: StoredDelivery;
  readonly callback: Callback;
  readonly mode: TellingMode;
  /** By this process's monotonic clock: the store's judgement of the time is as old as the turn. */
  readonly began: number;
}

/**
 * Tells a client what was decided. Everything it needs is in the store, so any process may take any turn; it may be killed at any
 * point, and the next one finds in the store what is left to do.
 */
export class Deliverer {
  readonly #parts: DelivererParts;
  readonly #pushMessages: PushMessages;

  constructor(parts: DelivererParts) {
    this.#parts = parts;
    this.#pushMessages = new PushMessages(parts);
  }

  /** Takes a turn. Says in a word what it came to, for whoever looks at the queue. */
  async deliver(handle: string, turn: number): Promise<string> {
    try {
      return await this.#deliver(handle, turn);
    } catch (cause) {
      // That the store does not answer is said by the store. A queue keeps what it is told, which may be secret.
      if (cause instanceof CibaError) throw cause;
      this.#parts.events.emit('delivery.error', { handle, cause });
      throw new Error('the turn met a fault');
    }
  }

  async #deliver(handle: string, turn: number): Promise<string> {
    const { outbox, settings } = this.#parts;
    const due = await outbox.find(handle);
    const stage = stageOf(due, turn, settings.notifyExpiry);
    switch (stage) {
      case 'over':
        await outbox.leave(handle, { secrets: true });
        return stage;
      case 'superseded':
        return stage;
      case 'undecided':
        await outbox.postpone(handle, { turn, delay: undecidedFor(turn), sent: false, note: noteOf(stage) });
        return stage;
      case 'given up':
        return this.#finishGivingUp(due as StoredDelivery);
      default: {
        const taken = turnOf(due as StoredDelivery);
        return stage === 'too late' ? this.#giveUp(taken, 'expired', false) : this.#tell(taken);
      }
    }
  }

  async #tell(turn: Turn): Promise<string> {
    const { bulkhead, outgoing, recipients } = this.#parts;
    const { due, callback, mode } = turn;
    const recipient = await within(
      SERVER_WITHIN,
      'finding the client',
      recipients.find(due.request.clientId),
    );
    const { endpoint } = callback;
    // What a client asked for at one place is not told at another that somebody has registered since.
    if (recipient?.mode !== mode || recipient.endpoint !== endpoint || endpoint === undefined)
      return this.#giveUp(turn, 'client_changed', false);
    const made =
      mode === 'ping'
        ? { body: pingBody(callback) }
        : await this.#pushMessages.of(due, callback, (delay) => this.#hasTime(turn, delay));
    if (made === 'ended') return this.#deliver(due.request.handle, due.turn);
    if ('retryIn' in made) {
      const { retryIn, issueFailures } = made;
      return this.#postpone(turn, 'tokens_not_issued', retryIn, false, { issueFailures });
    }
    const leave = await bulkhead.enter(originOf(endpoint));
    if (leave === 'stuck') return this.#postpone(turn, 'endpoint_busy', jittered(STUCK_FOR), false);
    try {
      const began = performance.now();
      const answer = await outgoing.post(endpoint, {
        bearer: callback.token,
        body: made.body,
        within: withinFor(turn),
      });
      this.#tellTime(
        'delivery',
        turn,
        (performance.now() - began) / 1000,
        reasonOf(answer),
        judge(answer) !== 'delivered',
      );
      return await this.#conclude(turn, answer);
    } finally {
      leave();
    }
  }

  async #conclude(turn: Turn, answer: Answer): Promise<string> {
    const { due } = turn;
    const reason = reasonOf(answer);
    switch (judge(answer)) {
      case 'delivered':
        return this.#delivered(turn, reason);
      case 'final':
        return this.#giveUp(turn, reason, answer.kind !== 'refused');
      case 'again': {
        const attempt = due.attempts + 1;
        const delay = delayBefore(attempt, answer);
        return attempt < this.#attemptsOf(due) && this.#hasTime(turn, delay)
          ? this.#postpone(turn, reason, delay, true)
          : this.#giveUp(turn, reason, true);
      }
    }
  }

  async #delivered(turn: Turn, reason: string): Promise<string> {
    const { handle } = turn.due.request;
    const becomes = turn.mode === 'push' ? ('delivered' as const) : undefined;
    const note = noteOf(reason);
    const stands = await this.#parts.outbox.end(handle, { state: 'delivered', becomes, sent: true, note });
    // Another turn gave it up while this one waited for the client.
    if (stands === 'failed') return 'superseded';
    await this.#parts.outbox.leave(handle, { secrets: true });
    this.#parts.events.emit('delivery.delivered', { ...this.#about(turn), attempts: turn.due.attempts + 1 });
    this.#tellWait(turn);
    return 'delivered';
  }

  /** `failed` is written first: from then on nothing is sent, so tokens may be destroyed. */
  async #giveUp(turn: Turn, reason: string, sent: boolean): Promise<string> {
    const { due, mode } = turn;
    const { handle } = due.request;
    const becomes = mode === 'push' ? ('undeliverable' as const) : undefined;
    const note = noteOf(reason);
    const ending = { state: 'failed', turn: due.turn, becomes, sent, note } as const;
    const stands = await this.#parts.outbox.end(handle, ending);
    if (stands !== 'failed') return 'superseded';
    const outcome = await this.#finishGivingUp(due);
    const attempts = due.attempts + Number(sent);
    this.#parts.events.emit('delivery.failed', { ...this.#about(turn), attempts, reason });
    return outcome;
  }

  /** A ping may be tried again by an operator while the request lives, a push may not: its tokens are gone. */
  async #finishGivingUp(due: StoredDelivery): Promise<string> {
    const { handle, remaining, decision = '{}' } = due.request;
    const { outbox, recipients } = this.#parts;
    const push = tellingModeOf(due.request.payload) === 'push';
    const body = push ? (await outbox.find(handle))?.body : undefined;
    if (body !== undefined) {
      const { grantId, madeGrant } = JSON.parse(decision) as Decision;
      const tokens = JSON.parse(body) as TokenResponse;
      const destroyed = recipients.destroy(tokens, madeGrant ? grantId : undefined);
      await within(SERVER_WITHIN, 'destroying tokens', destroyed);
    }
    await outbox.leave(handle, { secrets: push, failedFor: remaining + this.#parts.retention });
    return 'given up';
  }

  async #postpone(
    turn: Turn,
    reason: string,
    delay: number,
    sent: boolean,
    more: Partial<Note> = {},
  ): Promise<string> {
    const { due } = turn;
    if (!sent && !this.#hasTime(turn, delay)) return this.#giveUp(turn, reason, false);
    const note = noteOf(reason, more);
    const { handle } = due.request;
    const postponed = await this.#parts.outbox.postpone(handle, { turn: due.turn, delay, sent, note });
    if (!postponed) return 'superseded';
    const attempts = due.attempts + Number(sent);
    this.#parts.events.emit('delivery.delayed', {
      ...this.#about(turn),
      attempts,
      reason,
      seconds: delay / 1000,
    });
    return `again in ${Math.ceil(delay / 1000)} s: ${reason}`;
  }

  #attemptsOf({ request }: StoredDelivery): number {
    const { attempts } = this.#parts.settings;
    return request.status === 'expired' ? Math.min(EXPIRY_ATTEMPTS, attempts) : attempts;
  }

  #hasTime({ due: { request }, began }: Turn, delay: number): boolean {
    if (request.status === 'expired') return true;
    return performance.now() - began + delay + BEFORE_EXPIRY < request.remaining;
  }

  /** How long the client has waited since the decision; a decision is looked into only where somebody wants to know. */
  #tellWait(turn: Turn): void {
    const { decision, remaining } = turn.due.request;
    if (decision === undefined || !this.#parts.events.hears('timing')) return;
    const { left } = JSON.parse(decision) as Decision;
    if (left === undefined) return;
    this.#tellTime('answer', turn, (left - remaining + performance.now() - turn.began) / 1000, 'told');
  }

  #tellTime(of: 'delivery' | 'answer', turn: Turn, seconds: number, outcome: string, failed = false): void {
    const { handle, clientId } = turn.due.request;
    this.#parts.events.time(() => ({ of, kind: turn.mode, seconds, outcome, failed, handle, clientId }));
  }

  #about({ due, mode }: Turn): { handle: string; clientId: string; mode: TellingMode } {
    const { handle, clientId } = due.request;
    return { handle, clientId, mode };
  }
}

function turnOf(due: StoredDelivery): Turn {
  const callback = JSON.parse(due.callback ?? '{}') as Callback;
  return { due, callback, mode: tellingModeOf(due.request.payload), began: performance.now() };
}

/** A message does not outlast its request by more than a moment. */
function withinFor({ mode, due: { request } }: Turn): number {
  if (request.status === 'expired') return WITHIN[mode];
  return Math.min(WITHIN[mode], Math.max(LEAST_WITHIN, request.remaining));
}

const originOf = (endpoint: string): string => (URL.canParse(endpoint) ? new URL(endpoint).origin : endpoint);

const undecidedFor = (turn: number): number => Math.min(UNDECIDED_FOR[0] * 2 ** (turn - 1), UNDECIDED_FOR[1]);
