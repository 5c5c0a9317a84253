// What each event tells.
import {
  type AuditEntry,
  type CibaEventName,
  type CibaEvents,
  type CibaListener,
  type CompatUse,
  createCiba,
  type DeliveryEvent,
  type Outcome,
  type PromptEvent,
  type PromptFailure,
  type RequestEvent,
  type TimedWork,
  type Timing,
} from 'oidc-provider-ciba';
import type { Equal, Expect } from './equal.js';

const ciba = createCiba();

type Flat<T> = { [Name in keyof T]: T[Name] };
type Request = { readonly handle: string; readonly clientId: string };
type OfAccount = Request & { readonly accountId: string };
type Told = Request & { readonly mode: 'ping' | 'push'; readonly attempts: number };
type Prompted = OfAccount & { readonly channel: string; readonly attempts: number };
type Unprompted = Prompted & {
  readonly reason: 'no_address' | 'gone' | 'refused' | 'unavailable';
  readonly again: boolean;
  readonly cause: unknown;
};

/** Every event with its members, written down once more: one that is added, dropped or changed has to be so here. */
interface Written {
  'request.accepted': OfAccount & {
    readonly expiresIn: number;
    readonly requestedExpiry: number | undefined;
  };
  'request.refused': { readonly clientId: string | undefined; readonly error: string };
  'request.limited': {
    readonly clientId: string;
    readonly accountId: string;
    readonly limit: 'account' | 'account_and_client' | 'client' | 'refusals' | 'blocked' | 'user_code';
  };
  'request.approved': OfAccount & {
    readonly acr: string | undefined;
    readonly acrMet: boolean;
    readonly numberMatched: boolean | undefined;
  };
  'request.denied': OfAccount & { readonly error: string; readonly wrongNumber: boolean };
  'request.reported': OfAccount;
  'request.cancelled': OfAccount & { readonly by: 'client' | 'server' };
  'client.unblocked': { readonly clientId: string; readonly accountId: string };
  'decision.refused': {
    readonly handle: string;
    readonly reason: string;
    readonly outcome: Outcome | undefined;
  };
  'poll.pending': Request & { readonly tooFast: boolean };
  'poll.held': Request & { readonly seconds: number };
  'poll.expired': Request;
  'redemption.claimed': Request;
  'redemption.settled': Request;
  'redemption.repeated': Request;
  'redemption.released': Request & { readonly error: string | undefined };
  'redemption.lost': Request & { readonly reason: 'too_late' | 'store_unavailable' };
  'prompt.sent': Prompted;
  'prompt.failed': Unprompted;
  'prompt.left': Unprompted;
  'prompt.error': { readonly handle: string; readonly cause: unknown };
  'prompt.dismissed': Prompted;
  'prompt.unreachable': OfAccount;
  'notification.failed': OfAccount & { readonly cause: unknown };
  'delivery.delivered': Told;
  'delivery.delayed': Told & { readonly reason: string; readonly seconds: number };
  'delivery.failed': Told & { readonly reason: string };
  'delivery.retried': Request;
  'delivery.error': { readonly handle: string; readonly cause: unknown };
  'compat.used': { readonly clientId: string; readonly what: CompatUse };
  'compat.told': Request & {
    readonly status: 'pending' | 'success' | 'failure';
    readonly reason: string;
  };
  'store.unavailable': { readonly cause: unknown };
  audit: AuditEntry;
  timing: Timing;
}

export type Checks = [
  Expect<Equal<CibaEventName, keyof Written>>,
  Expect<
    Equal<
      { [Name in CibaEventName]: Flat<CibaEvents[Name]> },
      { [Name in keyof Written]: Flat<Written[Name]> }
    >
  >,
  Expect<Equal<Timing['of'], TimedWork>>,
  Expect<Equal<AuditEntry['action'], CibaEventName>>,
  Expect<Equal<Flat<RequestEvent>, Flat<Request>>>,
  Expect<Equal<Flat<DeliveryEvent>, Flat<Told>>>,
  Expect<Equal<Flat<PromptEvent>, Flat<Prompted>>>,
  Expect<Equal<Flat<PromptFailure>, Flat<Unprompted>>>,
  Expect<
    Equal<
      CompatUse,
      'form_newlines' | 'grant_alias' | 'implied_hint' | 'user_code' | 'endpoint_alias' | 'registration'
    >
  >,
];

const stop: () => void = ciba.on('request.accepted', ({ handle, expiresIn }) => [
  handle,
  expiresIn.toFixed(),
]);
stop();
ciba.on('store.unavailable', async ({ cause }) => console.error(cause));
const counted: CibaListener<'delivery.failed'> = ({ reason, attempts, mode }) => [reason, attempts, mode];
ciba.on('delivery.failed', counted);
/** One listener for whatever happens. */
const everything = <Name extends CibaEventName>(name: Name): (() => void) =>
  ciba.on(name, (event) => JSON.stringify({ name, event }));
everything('poll.pending');

// @ts-expect-error there is no such event
ciba.on('request.aproved', () => {});
// @ts-expect-error an event never tells the auth_req_id
ciba.on('request.accepted', ({ authReqId }) => authReqId);
// @ts-expect-error a poll tells no account
ciba.on('poll.pending', ({ accountId }) => accountId);
// @ts-expect-error events are heard one by one
ciba.on('*', () => {});
// @ts-expect-error an event is not changed by who hears it
ciba.on('request.denied', (event) => delete event.error);
// @ts-expect-error a listener of another event
ciba.on('delivery.delivered', counted);
