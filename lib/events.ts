import type { Outcome } from './errors.js';

/** What every event about a request says of it. The `auth_req_id` is a bearer secret and is never among it. */
export interface RequestEvent {
  /** The request's handle. */
  readonly handle: string;
  /** The client that asked. */
  readonly clientId: string;
}

/** What every event about telling a client says of it. */
export interface DeliveryEvent extends RequestEvent {
  readonly mode: 'ping' | 'push';
  /** How often something was sent. */
  readonly attempts: number;
}

/** What every event about reaching a person says of it. */
export interface PromptEvent extends RequestEvent {
  readonly accountId: string;
  /** The name of the channel. */
  readonly channel: string;
  /** How often it was tried. */
  readonly attempts: number;
}

/** In what a message may differ from the standard, where the option `compat` takes it all the same. */
export type CompatUse =
  | 'form_newlines'
  | 'grant_alias'
  | 'implied_hint'
  | 'user_code'
  | 'endpoint_alias'
  | 'registration';

/** What an event about a channel that failed says besides. */
export interface PromptFailure extends PromptEvent {
  readonly reason: 'no_address' | 'gone' | 'refused' | 'unavailable';
  /** Whether it is tried again. */
  readonly again: boolean;
  /** For the log. */
  readonly cause: unknown;
}

/** What a {@link Timing} is about. The last two are times that somebody was waited for, the others are work of this process's. */
export type TimedWork =
  | 'backchannel'
  | 'redemption'
  | 'delivery'
  | 'prompt'
  | 'store'
  | 'decision'
  | 'answer';

/** How long something took that has ended just now. */
export interface Timing {
  /**
   * `backchannel`: answering an authentication request. `redemption`: from the claim until the answer may leave, or is taken back. `delivery`: one
   * message to a client. `prompt`: one channel, once. `store`: one command to Redis. `decision`: from the acknowledgement until somebody
   * decided. `answer`: from the decision until the client has it.
   */
  readonly of: TimedWork;
  readonly seconds: number;
  /** What it came to: a word of a small set, such as a status code, an error code or the name of an event. */
  readonly outcome: string;
  /** Whether that is a failure. */
  readonly failed: boolean;
  /** Which kind of it: a delivery mode, the name of a channel, or a command. */
  readonly kind: string | undefined;
  readonly handle: string | undefined;
  readonly clientId: string | undefined;
}

/** One line of an audit log. */
export interface AuditEntry {
  /** When it was told, by the clock of this process. */
  readonly at: Date;
  /** The event that tells it. */
  readonly action: CibaEventName;
  /**
   * Whose doing it is; nothing where it is nobody's, as with a request that has expired, or not known, as with a decision that was refused. One
   * that was taken is the person's, by whichever way it came.
   */
  readonly by: 'client' | 'person' | 'server' | undefined;
  /**
   * Where it left the request: `pending`, `approved`, `denied`, `cancelled`, `expired`, `claimed`, `redeemed`, `told`, `not_told`, `delivered`, `undeliverable`
   * or `waiting`; of a client and a person `blocked` or `unblocked`; `refused` where nothing has changed.
   */
  readonly outcome: string;
  readonly handle: string | undefined;
  readonly clientId: string | undefined;
  readonly accountId: string | undefined;
  /** Why, in a word. */
  readonly reason: string | undefined;
}

/**
 * The events of a {@link Ciba}, by name. Each is emitted after the store has accepted what it tells.
 */
export interface CibaEvents {
  /** A request was accepted and is pending; `expiresIn` is in seconds, `requestedExpiry` is what the client asked for. */
  'request.accepted': RequestEvent & {
    readonly accountId: string;
    readonly expiresIn: number;
    readonly requestedExpiry: number | undefined;
  };
  /** The backchannel authentication endpoint refused a request; nothing pends that anybody could decide. */
  'request.refused': { readonly clientId: string | undefined; readonly error: string };
  /**
   * A request was refused, and nobody was prompted, because a limit is reached: of pending requests, of denied ones, of wrong user
   * codes, or because the person has blocked the client. Many of them are worth an alert.
   */
  'request.limited': {
    readonly clientId: string;
    readonly accountId: string;
    readonly limit: 'account' | 'account_and_client' | 'client' | 'refusals' | 'blocked' | 'user_code';
  };
  /** The person agreed. `acrMet` says whether the `acr` given is one that the client asked for (true where it asked for none). */
  'request.approved': RequestEvent & {
    readonly accountId: string;
    readonly acr: string | undefined;
    readonly acrMet: boolean;
    /** Whether the number of the asking screen was given; nothing where the client asks for none. */
    readonly numberMatched: boolean | undefined;
  };
  /** The person, or the server for them, refused; `wrongNumber` where it was an approval with another number than the asking screen's. */
  'request.denied': RequestEvent & {
    readonly accountId: string;
    readonly error: string;
    readonly wrongNumber: boolean;
  };
  /** The person says that they have not started this: the client is blocked for them from now on. Worth an alert. */
  'request.reported': RequestEvent & { readonly accountId: string };
  /** The request was withdrawn before a decision, by its client or by the server. */
  'request.cancelled': RequestEvent & { readonly accountId: string; readonly by: 'client' | 'server' };
  /** The server lets a client ask a person again (`ciba.requests.unblock`). */
  'client.unblocked': { readonly clientId: string; readonly accountId: string };
  /** A decision came too late, from somebody else, or for a request that had an outcome. */
  'decision.refused': {
    readonly handle: string;
    readonly reason: string;
    readonly outcome: Outcome | undefined;
  };
  /** A poll was answered `authorization_pending` or, where `tooFast`, `slow_down`. */
  'poll.pending': RequestEvent & { readonly tooFast: boolean };
  /** A poll is held until the request is decided, `seconds` at most. */
  'poll.held': RequestEvent & { readonly seconds: number };
  /** A poll found the request expired. */
  'poll.expired': RequestEvent;
  /** A client's poll has claimed the approval, for a few seconds: tokens are issued now. */
  'redemption.claimed': RequestEvent;
  /** Tokens were issued and the redemption is settled; the answer leaves now. */
  'redemption.settled': RequestEvent;
  /** A client that did not get the answer of its redemption has come again within `replayGrace`, and was given the same. */
  'redemption.repeated': RequestEvent;
  /** The provider refused after the claim, or the client has gone; the approval is there for the next poll. */
  'redemption.released': RequestEvent & { readonly error: string | undefined };
  /**
   * The redemption could not be settled in time, so what was issued is destroyed. The approval is given back, unless another poll has redeemed
   * it meanwhile.
   */
  'redemption.lost': RequestEvent & { readonly reason: 'too_late' | 'store_unavailable' };
  /** A channel has reached the person. */
  'prompt.sent': PromptEvent;
  /** A channel has not; `again` says whether it is tried again. `cause` is for the log. The request lives on. */
  'prompt.failed': PromptFailure;
  /** A channel could not take the prompt away again; `again` says whether that is tried again. `cause` is for the log. */
  'prompt.left': PromptFailure;
  /** The server's own `chain` failed, and all channels are tried in their order instead. `cause` is for the log. */
  'prompt.error': { readonly handle: string; readonly cause: unknown };
  /** A channel has taken the prompt away again. */
  'prompt.dismissed': PromptEvent;
  /** Every channel was tried and none has reached the person. They can still find the request. */
  'prompt.unreachable': RequestEvent & { readonly accountId: string };
  /** The server's own hook failed to reach the person's device; the request lives on. */
  'notification.failed': RequestEvent & { readonly accountId: string; readonly cause: unknown };
  /** A ping or push client was told: it answered 2xx. `attempts` is how often something was sent. */
  'delivery.delivered': DeliveryEvent;
  /** An attempt failed, or could not be made now; the next one is in `seconds`. `reason` is a status code or a word. */
  'delivery.delayed': DeliveryEvent & { readonly reason: string; readonly seconds: number };
  /**
   * Telling the client was given up: its answer was final, the attempts are used up, or the request ended. The tokens of a push are
   * revoked. A `reason` of `refused` means that the endpoint is, or leads to, an address that is not allowed.
   */
  'delivery.failed': DeliveryEvent & { readonly reason: string };
  /** An operator has a client told again (`ciba.deliveries.retry`). */
  'delivery.retried': RequestEvent;
  /** A turn of telling a client met a fault, such as tokens that could not be issued; it is taken again. `cause` is for the log. */
  'delivery.error': { readonly handle: string; readonly cause: unknown };
  /**
   * A message of the dialect that `compat` takes has come in this client's name; whether it was the client is found out after that. Each
   * deviation from the standard is told by itself.
   */
  'compat.used': { readonly clientId: string; readonly what: CompatUse };
  /** A client was told at its redirect URI where its request stands (`compat`), or was not: `reason` is a status code or a word. */
  'compat.told': RequestEvent & {
    readonly status: 'pending' | 'success' | 'failure';
    readonly reason: string;
  };
  /** The store did not answer in time, or what it holds cannot be decrypted: the `cause` says which, for the log. */
  'store.unavailable': { readonly cause: unknown };
  /** Each change of a request's state, and each that was refused, in one form for a log that is kept: see [operations](operations.md#an-audit-log). */
  audit: AuditEntry;
  /** How long something took: for metrics and traces. Nothing is measured while nobody listens. */
  timing: Timing;
}

/** The name of an event. */
export type CibaEventName = keyof CibaEvents;

/** Hears an event. What it returns is not waited for. */
export type CibaListener<Name extends CibaEventName> = (event: CibaEvents[Name]) => unknown;
