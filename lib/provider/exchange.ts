import type { KoaContextWithOIDC } from 'oidc-provider';
import type { SenderConstraint } from '../delivery/callback.js';
import type { StatusNotifications } from '../delivery/status-notifications.js';
import type { Emitter } from '../emitter.js';
import { CibaError } from '../errors.js';
import type { Polls, WonClaim } from '../request/polls.js';
import type { Settings } from '../settings/settings.js';
import type { KeptAnswer, Store } from '../store/store.js';

/** What the steps of one HTTP request tell each other. */
export interface Exchange {
  /** When it began, by this process's monotonic clock. */
  readonly began: number;
  /** Seconds for the acknowledgement's `interval`, once a request is stored. */
  interval?: number;
  /** The handle of the request that was accepted. */
  accepted?: string;
  /** The number for the asking screen, once a request is stored that an approval must name it of. */
  number?: string;
  /** The login hint token that names the account, to be used up by the request that is stored, and for how many milliseconds. */
  hintToken?: { readonly id: string; readonly lifetime: number };
  /** The account that stands for nobody, where the hint leads to nobody and that is hidden. */
  nobody?: string | undefined;
  /** What a signed request holds, once its claims were looked at. */
  signed?: { readonly claims: Readonly<Record<string, unknown>>; readonly alg: string };
  /** The key that the tokens will be bound to, once it was looked for. */
  constraint?: SenderConstraint | undefined;
  /** The answer of a redemption that is given once more. */
  again?: unknown;
  /** Withdraws a request: set where the client has asked for that, and not for its tokens. */
  cancel?: (handle: string) => Promise<void>;
  /** Whether that was done. */
  cancelled?: boolean;
  /** When the request was decided that is redeemed, by this process's monotonic clock. */
  decidedAt?: number | undefined;
  /** Seconds for `Retry-After`. */
  retryAfter?: number;
  /** The claim that this request holds, to be settled or released before the answer leaves. */
  claim?: Claim | undefined;
}

/** What a step of the middleware works with. */
export interface StepParts {
  readonly store: Store;
  readonly polls: Polls;
  readonly events: Emitter;
  readonly userCodes: boolean;
  readonly settings: Settings;
  /** Where clients of the dialect are told where their requests stand. */
  readonly statusNotifications?: StatusNotifications | undefined;
}

/** The claim of an exchange. */
export interface Claim extends WonClaim {
  readonly handle: string;
  readonly clientId: string;
  /** Whether the provider redeems by it. One that came with the poll is won before the provider has looked at all of the request. */
  used: boolean;
  /** What is kept of the answer, for a client that does not get it, where the server keeps any. */
  readonly keep: (() => Promise<KeptAnswer | undefined>) | undefined;
}

/** Where the exchange of a request lies in its context. */
const EXCHANGE: unique symbol = Symbol('oidc-provider-ciba');
type Carrier = { [EXCHANGE]?: Exchange };

/** Begins the exchange of a request; the middleware does, so that without it nothing can be redeemed. */
export function beginExchange(ctx: object): Exchange {
  const exchange: Exchange = { began: performance.now() };
  (ctx as Carrier)[EXCHANGE] = exchange;
  return exchange;
}

/** The exchange of the request under way. */
export function exchangeOf(ctx: KoaContextWithOIDC): Exchange {
  const { [EXCHANGE]: exchange } = ctx as Carrier;
  if (!exchange) {
    throw new CibaError('not_attached', 'ciba.router(provider) was not called before provider.callback()');
  }
  return exchange;
}
