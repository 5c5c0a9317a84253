import type { Emitter } from '../emitter.js';
import { CibaError, type Outcome } from '../errors.js';
import { newOperation } from '../store/operation.js';
import { ANNOUNCED_WITHIN } from '../store/prompts.js';
import type { Status, Store, StoredRequest, Verdict } from '../store/store.js';
import { handleOf } from './handle.js';
import { matchNumber } from './number.js';
import { type AuthorizationDetail, type Decision, payloadOf, type RequestPayload } from './payload.js';
import { essentialAcrOf, type RequestView, viewOf } from './view.js';

/** A person's yes. */
export interface Approval {
  /** Who decides: must be the request's account. */
  readonly accountId: string;
  /** Authentication context class reached at the device, for the ID Token's `acr` (OIDC Core 2). */
  readonly acr?: string | undefined;
  /** Authentication methods used at the device, for the ID Token's `amr` (OIDC Core 2). */
  readonly amr?: readonly string[] | undefined;
  /** When the person authenticated, in seconds since the epoch, for the ID Token's `auth_time` (OIDC Core 2). */
  readonly authTime?: number | undefined;
  /** The number on the asking screen, where the client has the person give it; see {@link RequestView.numberMatching}. */
  readonly number?: string | undefined;
  /** The part of the requested scope that was granted, space separated. Default: all of it. Never more than it. */
  readonly scope?: string | undefined;
  /** A grant that the server made itself; left out, one is made of what was asked for. */
  readonly grantId?: string | undefined;
  /** The authorization details granted (RFC 9396). Default: those asked for, or none beside a `grantId`. */
  readonly rar?: readonly AuthorizationDetail[] | undefined;
  /** The session that the tokens end with; see `expiresWithSession`. */
  readonly sessionUid?: string | undefined;
  /** Whether the tokens end with the session. Default: they do not. */
  readonly expiresWithSession?: boolean | undefined;
  /** The session id for the ID Token's `sid`. */
  readonly sid?: string | undefined;
}

/** A person's no. */
export interface Denial {
  /** Who decides: must be the request's account. */
  readonly accountId: string;
  /** The error that the client's polls are answered with. Default `access_denied` (CIBA Core 11). */
  readonly error?: string | undefined;
  /** What the client is told beside it, at most 256 characters; what an `error_description` cannot hold is replaced. */
  readonly description?: string | undefined;
}

/** Finds or makes the grant of an approval; `discard` undoes one that was made, when the decision was lost to another. */
export type GrantFor = (
  request: RequestView,
  scope: string,
  grantId: string | undefined,
) => Promise<{ readonly grantId: string; discard(): Promise<void> }>;

/** The store, what hears of it, and how a grant is made. */
export interface RequestsParts {
  readonly store: Store;
  readonly events: Emitter;
  readonly grantFor: GrantFor;
  /** How long a denial counts against the client, in milliseconds; nothing where it does not. */
  readonly cooldown: number | undefined;
  /** Called once the outcome is stored of a request whose client is told, or whose person was prompted. */
  readonly announce: (request: Announced) => void;
}

/** A request whose outcome is stored, and who has to hear of it. */
export type Announced = Pick<StoredRequest, 'handle' | 'told' | 'prompted'>;

/** Who decides: an account, or the server itself, which withdraws. */
type Decider = string | typeof SERVER;
const SERVER = Symbol('the server');

/** How long a client is blocked for a person who reported it, in milliseconds, unless `unblock` ends that: half a year. */
const BLOCKED_FOR = 180 * 86_400_000;

const OUTCOMES: Readonly<Record<Exclude<Status, 'pending'>, Outcome>> = {
  approved: 'approved',
  claimed: 'approved',
  redeemed: 'approved',
  delivered: 'approved',
  undeliverable: 'approved',
  denied: 'denied',
  cancelled: 'cancelled',
  expired: 'expired',
};

/** Looks at pending requests and decides them. Every road to a decision leads through here. */
export class Requests {
  readonly #parts: RequestsParts;

  constructor(parts: RequestsParts) {
    this.#parts = parts;
  }

  /** The handle of an `auth_req_id`, for code of the server's that holds one. */
  handleOf(authReqId: string): string {
    return handleOf(authReqId);
  }

  /**
   * One request by its handle, or nothing once its retention is over.
   * @throws {CibaError} `store_unavailable`
   */
  async get(handle: string): Promise<RequestView | undefined> {
    const stored = await this.#parts.store.read(handle);
    return stored && viewOf(stored);
  }

  /**
   * The pending requests of an account, the one that ends first in front.
   * @throws {CibaError} `store_unavailable`
   */
  async list(accountId: string): Promise<RequestView[]> {
    return (await this.#parts.store.list(accountId)).map((stored) => viewOf(stored));
  }

  /**
   * Approves a pending request. The first decision wins. Where the client has the person give the number on the asking screen, an approval
   * with another one denies the request.
   * @throws {CibaError} `not_found`, `forbidden`, `expired`, `already_decided` with the outcome that stands, `acr_not_met`,
   * `invalid_decision`, `wrong_number`, `not_attached`, `store_unavailable`
   */
  async approve(handle: string, approval: Approval): Promise<void> {
    const stored = await this.#open(handle, approval.accountId);
    const payload = payloadOf(stored);
    const request = viewOf(stored, payload);
    const acrMet = this.#checkAcr(payload, request, approval.acr);
    const scope = grantedScope(request.scope, approval.scope);
    const { acr, authTime, sessionUid, expiresWithSession, sid } = approval;
    if (expiresWithSession && approval.grantId === undefined) {
      throw invalidDecision('expiresWithSession needs the grantId of the session');
    }
    const numberMatched = matchNumber(payload, approval.number);
    if (numberMatched === false) {
      await this.#denyFor(stored, approval.accountId, { error: 'access_denied', numberMatched });
      throw new CibaError(
        'wrong_number',
        'that is not the number on the asking screen: the request is denied',
        {
          outcome: 'denied',
        },
      );
    }
    const grant = await this.#parts.grantFor(request, scope, approval.grantId);
    // A grant of the server's own says nothing of the details: then those are granted that the approval names.
    const rar = approval.rar ?? (approval.grantId === undefined ? request.authorizationDetails : []);
    const decision: Decision = {
      grantId: grant.grantId,
      numberMatched,
      madeGrant: stored.told && approval.grantId === undefined ? true : undefined,
      scope: approval.scope === undefined ? undefined : scope,
      acr,
      amr: approval.amr && [...approval.amr],
      authTime,
      sessionUid,
      expiresWithSession,
      sid,
      rar: rar.length > 0 ? [...rar] : undefined,
    };
    try {
      await this.#decide(stored, approval.accountId, 'approved', decision);
    } catch (error) {
      // Unknown is not lost: a grant that the store may have taken is left to end by itself.
      if (!isUnavailable(error)) await grant.discard();
      throw error;
    }
    const { clientId, accountId } = request;
    this.#parts.events.emit('request.approved', {
      handle,
      clientId,
      accountId,
      acr,
      acrMet,
      numberMatched,
    });
  }

  /**
   * Denies a pending request; the client's next polls are answered with the error and the description. The first decision
   * wins.
   * @throws {CibaError} `not_found`, `forbidden`, `expired`, `already_decided` with the outcome that stands,
   * `invalid_decision`, `store_unavailable`
   */
  async deny(handle: string, denial: Denial): Promise<void> {
    const { accountId, error = 'access_denied', description } = denial;
    if (typeof accountId !== 'string' || accountId === '')
      throw invalidDecision('accountId must be a non-empty string');
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(error)) throw invalidDecision('error must be an OAuth error code');
    if (description !== undefined && (typeof description !== 'string' || description.length > 256)) {
      throw invalidDecision('description must be a string of at most 256 characters');
    }
    const stored = await this.#open(handle, accountId);
    await this.#denyFor(stored, accountId, { error, errorDescription: description });
  }

  /**
   * The person says that they have not started this request: it is denied, with every other one of the same client's, and the client is
   * blocked for this person, for half a year or until {@link Requests.unblock}. A request that has an outcome already can be reported
   * as well: then only the client is blocked.
   * @throws {CibaError} `not_found`, `forbidden`, `store_unavailable`
   */
  async report(handle: string, { accountId }: Pick<Denial, 'accountId'>): Promise<void> {
    const { store, events } = this.#parts;
    const stored = await store.read(handle);
    if (!stored) throw this.#refused(handle, { result: 'gone' });
    if (stored.accountId !== accountId) throw this.#refused(handle, { result: 'forbidden' });
    const { clientId } = stored;
    // The block first: what is stored after the list is read finds it.
    await store.block(accountId, clientId, BLOCKED_FOR);
    const pending = await store.list(accountId);
    const error = 'access_denied';
    for (const request of pending.filter((other) => other.clientId === clientId)) {
      await this.#denyFor(request, accountId, { error }).catch((reason: unknown) => {
        // Decided in the same moment, or over.
        if (!(reason instanceof CibaError) || isUnavailable(reason)) throw reason;
      });
    }
    events.emit('request.reported', { handle, clientId, accountId });
  }

  /**
   * Lets a client ask a person again who has reported it, and forgets what they denied it.
   * @throws {CibaError} `store_unavailable`
   */
  async unblock(accountId: string, clientId: string): Promise<void> {
    await this.#parts.store.unblock(accountId, clientId);
    this.#parts.events.emit('client.unblocked', { clientId, accountId });
  }

  /**
   * Withdraws a pending request: the person is no longer asked, the client's polls are answered `access_denied`. With `byClient` it counts
   * against the client as one that nobody has answered, which it is: who asks and withdraws again and again rings all the same.
   * @throws {CibaError} `not_found`, `expired`, `already_decided` with the outcome that stands, `store_unavailable`
   */
  async cancel(handle: string, { byClient = false }: { readonly byClient?: boolean } = {}): Promise<void> {
    const stored = await this.#open(handle, SERVER);
    const { clientId, accountId } = stored;
    await this.#decide(stored, SERVER, 'cancelled', {}, byClient);
    this.#parts.events.emit('request.cancelled', {
      handle,
      clientId,
      accountId,
      by: byClient ? 'client' : 'server',
    });
  }

  async #denyFor(stored: StoredRequest, accountId: string, decision: Decision): Promise<void> {
    const { handle, clientId } = stored;
    const { error = 'access_denied', numberMatched } = decision;
    await this.#decide(stored, accountId, 'denied', decision);
    const wrongNumber = numberMatched === false;
    this.#parts.events.emit('request.denied', { handle, clientId, accountId, error, wrongNumber });
  }

  /** What can be refused before anything is made for a decision; the store judges again, in one step with the write. */
  async #open(handle: string, decider: Decider): Promise<StoredRequest> {
    const stored = await this.#parts.store.read(handle);
    if (!stored) throw this.#refused(handle, { result: 'gone' });
    if (decider !== SERVER && stored.accountId !== decider)
      throw this.#refused(handle, { result: 'forbidden' });
    if (stored.status !== 'pending')
      throw this.#refused(handle, { result: 'conflict', status: stored.status });
    return stored;
  }

  async #decide(
    stored: StoredRequest,
    decider: Decider,
    verdict: Verdict,
    decision: Decision,
    counts: boolean = verdict === 'denied',
  ): Promise<void> {
    const { handle, clientId, told, prompted } = stored;
    const { store, cooldown } = this.#parts;
    const attempt = {
      handle,
      owner: stored,
      accountId: decider === SERVER ? undefined : decider,
      verdict,
      decision: JSON.stringify({ ...decision, left: stored.remaining }),
      operation: newOperation(),
      cooldown: counts ? cooldown : undefined,
    };
    // Before the decision, so that a process which dies right after it leaves a trace that another one finds.
    if (told) await store.outbox.schedule(handle, ANNOUNCED_WITHIN);
    if (prompted) await store.prompts.schedule(handle, ANNOUNCED_WITHIN);
    // Once more where the store did not answer: as the same attempt, so that it hears what became of the first.
    const decided = await store.decide(attempt).catch((error: unknown) => {
      if (isUnavailable(error)) return store.decide(attempt);
      throw error;
    });
    if (decided.result !== 'decided') throw this.#refused(handle, decided);
    this.#parts.events.time(() => {
      const seconds = (payloadOf(stored).life ?? 0) - stored.remaining / 1000;
      return {
        of: 'decision',
        seconds: Math.max(0, seconds),
        outcome: verdict,
        handle,
        clientId,
      };
    });
    if (told || prompted) this.#parts.announce(stored);
  }

  #checkAcr(payload: RequestPayload, request: RequestView, acr: string | undefined): boolean {
    const met = (wanted: readonly string[]): boolean =>
      wanted.length === 0 || (acr !== undefined && wanted.includes(acr));
    const preferred = met(request.acrValues);
    if (!met(essentialAcrOf(payload)) || (payload.requireAcr && !preferred)) {
      throw new CibaError('acr_not_met', 'the approval did not reach an acr that the client insists on');
    }
    return preferred;
  }

  #refused(
    handle: string,
    refusal:
      | { readonly result: 'gone' | 'forbidden' }
      | { readonly result: 'conflict'; readonly status: Exclude<Status, 'pending'> },
  ): CibaError {
    const error = refusalError(refusal);
    this.#parts.events.emit('decision.refused', { handle, reason: error.code, outcome: error.outcome });
    return error;
  }
}

function refusalError(
  refusal:
    | { readonly result: 'gone' | 'forbidden' }
    | { readonly result: 'conflict'; readonly status: Exclude<Status, 'pending'> },
): CibaError {
  switch (refusal.result) {
    case 'gone':
      return new CibaError('not_found', 'there is no such request');
    case 'forbidden':
      return new CibaError('forbidden', 'the request is for another account');
    default: {
      const outcome = OUTCOMES[refusal.status];
      return outcome === 'expired'
        ? new CibaError('expired', 'the request has expired', { outcome })
        : new CibaError('already_decided', `the request has already been ${outcome}`, { outcome });
    }
  }
}

function grantedScope(requested: string, granted: string | undefined): string {
  if (granted === undefined) return requested;
  const asked = new Set(requested.split(' '));
  const scopes = granted.split(' ').filter(Boolean);
  if (!scopes.every((scope) => asked.has(scope)))
    throw invalidDecision('scope must not go beyond what was asked for');
  if (!scopes.includes('openid')) throw invalidDecision('scope must keep openid');
  return scopes.join(' ');
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof CibaError && error.code === 'store_unavailable';

const invalidDecision = (sentence: string): CibaError => new CibaError('invalid_decision', sentence);
