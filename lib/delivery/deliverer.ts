import { CibaError } from '../errors.js';
import type { Events } from '../events.js';
import type { DeliverySettings } from '../options.js';
import type { Decision, RequestPayload } from '../request/payload.js';
import type { Outbox, StoredDelivery } from '../store/outbox.js';
import type { Bulkhead } from './bulkhead.js';
import type { Callback, TellingMode } from './callback.js';
import { within } from './deadline.js';
import { pingBody, pushBody, pushErrorBody, pushErrorOf } from './message.js';
import { type Answer, LARGEST_BODY, type Outgoing } from './outgoing.js';
import type { PushGrant, Recipients, TokenResponse } from './recipients.js';
import { delayBefore, judge } from './retry-policy.js';

/** How long one message may take, in milliseconds, from the look-up of the endpoint's name to the client's answer. */
const WITHIN: Readonly<Record<TellingMode, number>> = { ping: 5_000, push: 10_000 };

/** How long it may take at least where the request is about to end, in milliseconds. */
const LEAST_WITHIN = 1_000;

/** The last attempt begins so long before the request ends, in milliseconds. */
const BEFORE_EXPIRY = 1_000;

/** How often at most a client is told of an expiry, which nothing bounds any more. */
const EXPIRY_ATTEMPTS = 5;

/** How long the server's own hooks and adapter may take, in milliseconds, before the turn is taken again. */
const SERVER_WITHIN = 10_000;

/** How often a body is tried to be kept whose keeping was not heard of. */
const KEEP_ATTEMPTS = 3;

/** When a request whose decision was announced and did not come is looked at again, in milliseconds: first, and at last. */
const UNDECIDED_FOR = [2_000, 30_000] as const;

/** How long a message waits whose endpoint keeps too many others waiting, in milliseconds. */
const STUCK_FOR = 5_000;

/** What the last turn came to, as it is stored. */
export interface Note {
  /** A status code, or a word. */
  readonly last: string;
  /** How often the tokens could not be issued. */
  readonly issueFailures?: number | undefined;
}

/** What a deliverer works with. */
export interface DelivererParts {
  readonly outbox: Outbox;
  readonly outgoing: Outgoing;
  readonly bulkhead: Bulkhead;
  readonly recipients: Recipients;
  readonly events: Events;
  readonly settings: DeliverySettings;
  /** How long a request is remembered after its end, in milliseconds. */
  readonly retention: number;
}

/** A turn under way. */
interface Turn {
  readonly due: StoredDelivery;
  readonly callback: Callback;
  readonly mode: TellingMode;
  readonly payload: RequestPayload;
  /** By this process's monotonic clock: the store's judgement of the time is as old as the turn. */
  readonly began: number;
}

/** What a body is, or why there is none yet. */
type Body = { readonly body: string } | { readonly postponed: string };

/**
 * Tells a client what was decided. Everything it needs is in the store, so any process may take any turn; it may be killed at any
 * point, and the next one finds in the store what is left to do.
 */
export class Deliverer {
  readonly #parts: DelivererParts;

  constructor(parts: DelivererParts) {
    this.#parts = parts;
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
    const made = mode === 'ping' ? { body: pingBody(callback) } : await this.#pushBody(turn);
    if ('postponed' in made) return made.postponed;
    const leave = await bulkhead.enter(originOf(endpoint));
    if (leave === 'stuck') return this.#postpone(turn, 'endpoint_busy', jittered(STUCK_FOR), false);
    try {
      const answer = await outgoing.post(endpoint, {
        bearer: callback.token,
        body: made.body,
        within: Math.min(WITHIN[mode], Math.max(LEAST_WITHIN, due.request.remaining)),
      });
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
  async #finishGivingUp({ request }: StoredDelivery): Promise<string> {
    const { handle, payload, decision = '{}' } = request;
    const { outbox, recipients } = this.#parts;
    const push = modeOf(JSON.parse(payload) as RequestPayload) === 'push';
    const body = push ? (await outbox.find(handle))?.body : undefined;
    if (body !== undefined) {
      const { grantId, madeGrant } = JSON.parse(decision) as Decision;
      const tokens = JSON.parse(body) as TokenResponse;
      const destroyed = recipients.destroy(tokens, madeGrant ? grantId : undefined);
      await within(SERVER_WITHIN, 'destroying tokens', destroyed);
    }
    await outbox.leave(handle, { secrets: push, failedFor: request.remaining + this.#parts.retention });
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

  /** A push says the same each time: what it says is kept before it is said. */
  async #pushBody(turn: Turn): Promise<Body> {
    const { due, callback } = turn;
    if (due.body !== undefined) return { body: due.body };
    const error = pushErrorOf(due.request);
    if (error) return this.#keep(turn, pushErrorBody(callback, error.error, error.description));
    const { model } = turn.payload;
    const { handle, clientId, accountId, decision = '{}' } = due.request;
    const { authReqId, constraint } = callback;
    const grant = {
      authReqId,
      clientId,
      accountId,
      model,
      decision: JSON.parse(decision) as Decision,
      constraint,
    };
    const issued = await this.#issue(grant).catch((cause: unknown) => ({ cause }));
    if ('tokens' in issued) {
      const body = pushBody(callback, issued.tokens);
      if (Buffer.byteLength(body) <= LARGEST_BODY) return this.#keep(turn, body, issued.tokens);
      await this.#parts.recipients.destroy(issued.tokens);
    }
    const { issueFailures = 0 } = readNote(due.note);
    if ('cause' in issued) {
      this.#parts.events.emit('delivery.error', { handle, cause: issued.cause });
      // A fault may pass: it is a failed transaction only when there is no time left for another try.
      const delay = delayBefore(issueFailures + 1);
      if (this.#hasTime(turn, delay + SERVER_WITHIN)) {
        const more = { issueFailures: issueFailures + 1 };
        return { postponed: await this.#postpone(turn, 'tokens_not_issued', delay, false, more) };
      }
    }
    const description = 'refused' in issued ? issued.refused : undefined;
    return this.#keep(turn, pushErrorBody(callback, 'transaction_failed', description));
  }

  /** Another process may have been first: then what it kept is said, and what was issued here is destroyed. */
  async #keep(turn: Turn, body: string, issued?: TokenResponse): Promise<Body> {
    const { handle } = turn.due.request;
    const stands = await this.#keepBody(handle, body);
    if (issued && stands !== body) await this.#parts.recipients.destroy(issued);
    // The telling ended meanwhile: what that left to do is done now.
    return stands === undefined
      ? { postponed: await this.#deliver(handle, turn.due.turn) }
      : { body: stands };
  }

  async #keepBody(
    handle: string,
    body: string,
    attempts: number = KEEP_ATTEMPTS,
  ): Promise<string | undefined> {
    return this.#parts.outbox.keepBody(handle, body).catch((error: unknown) => {
      if (attempts === 1) throw error;
      return this.#keepBody(handle, body, attempts - 1);
    });
  }

  /** Tokens that come when nobody waits for them any more are destroyed. */
  async #issue(grant: PushGrant): ReturnType<Recipients['issue']> {
    const { recipients } = this.#parts;
    const issuing = recipients.issue(grant);
    try {
      return await within(SERVER_WITHIN, 'issuing tokens', issuing);
    } catch (cause) {
      issuing
        .then((late) => ('tokens' in late ? recipients.destroy(late.tokens) : undefined))
        .catch(() => {});
      throw cause;
    }
  }

  #attemptsOf({ request }: StoredDelivery): number {
    const { attempts } = this.#parts.settings;
    return request.status === 'expired' ? Math.min(EXPIRY_ATTEMPTS, attempts) : attempts;
  }

  #hasTime({ due: { request }, began }: Turn, delay: number): boolean {
    if (request.status === 'expired') return true;
    return performance.now() - began + delay + BEFORE_EXPIRY < request.remaining;
  }

  #about({ due, mode }: Turn): { handle: string; clientId: string; mode: TellingMode } {
    const { handle, clientId } = due.request;
    return { handle, clientId, mode };
  }
}

type Stage = 'over' | 'superseded' | 'undecided' | 'given up' | 'too late' | 'due';

/** What a turn finds, the first line that fits. */
function stageOf(due: StoredDelivery | undefined, turn: number, notifyExpiry: boolean): Stage {
  if (!due || due.state === 'delivered') return 'over';
  if (due.state === 'failed') return 'given up';
  if (due.turn !== turn) return 'superseded';
  const { status, decision, remaining } = due.request;
  if (decision !== undefined && remaining === 0) return 'too late';
  if (due.callback === undefined) return 'over';
  if (status === 'pending') return 'undecided';
  if (decision === undefined) return notifyExpiry ? 'due' : 'over';
  return 'due';
}

function turnOf(due: StoredDelivery): Turn {
  const payload = JSON.parse(due.request.payload) as RequestPayload;
  const callback = JSON.parse(due.callback ?? '{}') as Callback;
  return { due, callback, payload, mode: modeOf(payload), began: performance.now() };
}

const modeOf = ({ deliveryMode }: RequestPayload): TellingMode => (deliveryMode === 'push' ? 'push' : 'ping');

const reasonOf = (answer: Answer): string =>
  answer.kind === 'answered' ? String(answer.status) : answer.kind === 'failed' ? answer.reason : 'refused';

const noteOf = (last: string, more: Partial<Note> = {}): string => JSON.stringify({ last, ...more });

/** Reads what the last turn came to. */
export function readNote(note: string | undefined): Partial<Note> {
  return note === undefined ? {} : (JSON.parse(note) as Note);
}

const originOf = (endpoint: string): string => (URL.canParse(endpoint) ? new URL(endpoint).origin : endpoint);

const undecidedFor = (turn: number): number => Math.min(UNDECIDED_FOR[0] * 2 ** (turn - 1), UNDECIDED_FOR[1]);

const jittered = (delay: number): number => delay * (0.8 + 0.4 * Math.random());
