import Provider, {
  type Adapter,
  type AdapterPayload,
  type Client,
  errors,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import type { Callback } from '../delivery/callback.js';
import type { Emitter } from '../emitter.js';
import { CibaError } from '../errors.js';
import { handleOf } from '../request/handle.js';
import { newNumber } from '../request/number.js';
import { type Decision, decidedModel, payloadOf, storablePayload } from '../request/payload.js';
import type { Polls, WonClaim } from '../request/polls.js';
import type { Settings } from '../settings/settings.js';
import { inBackground } from '../store/in-background.js';
import { CLAIM_LEASE } from '../store/lifecycle.js';
import { newOperation } from '../store/operation.js';
import type { NewRequest, PollResult, Refusal, Status, Store } from '../store/store.js';
import { cancelOwn, endOfCancellation } from './cancel.js';
import { checkAuthenticationMethod } from './client-authentication.js';
import { deliveryModeOf, notificationEndpointOf } from './client-endpoint.js';
import { intervalOf, NUMBER_MATCHING } from './client-metadata.js';
import { type Claim, type Exchange, exchangeOf } from './exchange.js';
import { HintTokenUses } from './hint-token-uses.js';
import type { IssuingConfig } from './issuing-config.js';
import type { KnownCredentials } from './known-credentials.js';
import { limited, limitsOf } from './limits.js';
import { holdOf, waitOf } from './long-polling.js';
import { BACKCHANNEL_ROUTE, REQUEST_MODEL, TOKEN_ROUTE } from './names.js';
import { checkKeyShown, checkPinnedKey, proofOf, useProof } from './poll-key.js';
import { isFapi } from './profile.js';
import { answerAgain, endOfReplay, keptAnswer } from './replay.js';
import { failClosed } from './unavailable.js';

/** What an approval is once its tokens were issued. */
const USED: ReadonlySet<Status> = new Set(['redeemed', 'delivered', 'undeliverable']);

/** How old a claim that came with the poll may be when it is used, in milliseconds: most of the lease is for issuing. */
const FRESH = 1_000;

/** What the adapter is made of. */
export interface AdapterParts {
  readonly store: Store;
  readonly events: Emitter;
  readonly settings: Settings;
  readonly polls: Polls;
  readonly credentials: KnownCredentials;
  readonly issuing: IssuingConfig;
}

type Model = Readonly<Record<string, unknown>>;

/**
 * The adapter of the one model that is the plugin's. On the token route it is the CIBA grant: `find` is the poll, which may
 * claim as well, `consume` the claim. It never returns a consumed record, because oidc-provider then revokes the tokens of whoever redeemed it.
 */
export class RequestAdapter implements Adapter {
  readonly #store: Store;
  readonly #events: Emitter;
  readonly #settings: Settings;
  readonly #issuing: IssuingConfig;
  readonly #polls: Polls;
  readonly #credentials: KnownCredentials;
  readonly #hintTokens: HintTokenUses;

  constructor({ store, events, settings, polls, credentials, issuing }: AdapterParts) {
    this.#issuing = issuing;
    this.#store = store;
    this.#events = events;
    this.#settings = settings;
    this.#polls = polls;
    this.#credentials = credentials;
    this.#hintTokens = new HintTokenUses(store);
  }

  async upsert(id: string, model: AdapterPayload, expiresIn: number): Promise<void> {
    const ctx = Provider.ctx;
    if (!ctx || ctx.oidc.route !== BACKCHANNEL_ROUTE) {
      throw new Error('a stored request is changed with ciba.requests or provider.backchannelResult() only');
    }
    const exchange = exchangeOf(ctx);
    const { client, params } = ctx.oidc;
    const { retention, delivery, channels } = this.#settings;
    const [clientId, accountId] = [String(model.clientId), String(model.accountId)];
    const interval = intervalOf(client, this.#settings);
    const handle = handleOf(id);
    const mode = deliveryModeOf(client);
    const callback = mode === 'poll' ? undefined : callbackOf(ctx, id, mode);
    const jkt = mode === 'push' ? undefined : exchange.constraint?.jkt;
    const deliveryMode = mode === 'poll' ? undefined : mode;
    const requireAcr = this.#settings.requireAcr || isFapi(client, this.#settings) || undefined;
    const number = client?.[NUMBER_MATCHING] === true ? newNumber() : undefined;
    const create = (): Promise<'created' | Refusal> =>
      this.#create({
        handle,
        clientId,
        accountId,
        lifetime: expiresIn * 1000,
        retention: retention * 1000,
        interval: interval * 1000,
        payload: JSON.stringify(
          storablePayload(model as Model, client?.clientName, {
            life: expiresIn,
            deliveryMode,
            number,
            requireAcr,
            jkt,
          }),
        ),
        limits: limitsOf(this.#settings),
        prompted: channels.length > 0 && exchange.nobody === undefined,
        callback,
        tellExpiry: delivery.notifyExpiry,
      });
    const created = await failClosed(exchange, () => this.#hintTokens.once(exchange.hintToken, create));
    if (created !== 'created') {
      this.#events.emit('request.limited', { clientId, accountId, limit: created });
      throw limited(exchange, created);
    }
    if (number !== undefined) exchange.number = number;
    // CIBA Core 7.3: a push client does not poll.
    if (mode !== 'push') exchange.interval = interval;
    const requestedExpiry =
      params?.['requested_expiry'] === undefined ? undefined : Number(params['requested_expiry']);
    if (exchange.nobody !== undefined) {
      // The client does not hear it, the operator does.
      this.#events.emit('request.refused', { clientId, error: 'unknown_user_id' });
      return;
    }
    this.#events.emit('request.accepted', { handle, clientId, accountId, expiresIn, requestedExpiry });
    exchange.accepted = handle;
  }

  /** Whether it took effect or not, a request that is not acknowledged must not pend: nobody could ever redeem it. */
  #create(request: NewRequest): Promise<'created' | Refusal> {
    return this.#store.create(request).catch((error: unknown) => {
      inBackground(() => this.#store.remove(request.handle, request));
      throw error;
    });
  }

  find(id: string): Promise<AdapterPayload | undefined> {
    const ctx = Provider.ctx;
    return ctx?.oidc?.route === TOKEN_ROUTE ? this.#poll(id, ctx) : this.#peek(id);
  }

  async consume(id: string): Promise<void> {
    const ctx = Provider.ctx;
    if (!ctx || ctx.oidc.route !== TOKEN_ROUTE)
      throw new Error('a request is redeemed at the token endpoint only');
    const exchange = exchangeOf(ctx);
    const [handle, clientId] = [handleOf(id), clientIdOf(ctx)];
    const { claim } = exchange;
    // What came with the poll a while ago would be over before the tokens are there.
    const usable = claim?.handle === handle && !claim.used && performance.now() - claim.wonAt <= FRESH;
    if (!usable) await this.#unclaim(ctx, exchange);
    exchange.claim ??= await this.#claim(ctx, exchange, { handle, clientId });
    exchange.claim.used = true;
    this.#events.emit('redemption.claimed', { handle, clientId });
  }

  /** Claims the request where the poll has not. */
  async #claim(
    ctx: KoaContextWithOIDC,
    exchange: Exchange,
    { handle, clientId }: Pick<Claim, 'handle' | 'clientId'>,
  ): Promise<Claim> {
    const token = newOperation();
    const claim = await failClosed(exchange, () =>
      this.#store.claim({ handle, clientId, token, lease: CLAIM_LEASE }),
    );
    if (claim.result === 'won') return this.#won(ctx, { handle, clientId, token, wonAt: performance.now() });
    if (claim.result === 'claimed') throw this.#overlapping(ctx, claim.wait);
    if (claim.result === 'expired') throw new errors.ExpiredToken('the request has expired');
    throw new errors.InvalidGrant(`the request is ${claim.result}`);
  }

  #won(ctx: KoaContextWithOIDC, claim: Pick<Claim, 'handle' | 'clientId' | keyof WonClaim>): Claim {
    const { replayGrace } = this.#settings;
    const keep = replayGrace > 0 ? () => keptAnswer(ctx, this.#issuing, replayGrace) : undefined;
    return { ...claim, keep, used: false };
  }

  /** Gives a claim back that came with a poll. One that is used is not given back before its answer is known, whatever else is asked for meanwhile. */
  async #unclaim(ctx: KoaContextWithOIDC, exchange: Exchange): Promise<void> {
    const { claim } = exchange;
    if (claim?.used) throw this.#overlapping(ctx, 0);
    exchange.claim = undefined;
    if (claim) await failClosed(exchange, () => this.#store.release(claim.handle, claim.token));
  }

  async destroy(id: string): Promise<void> {
    await this.#store.remove(handleOf(id));
  }

  /** A request whose grant is gone is refused when oidc-provider looks the grant up, so there is nothing to find here. */
  async revokeByGrantId(): Promise<void> {}

  async findByUid(): Promise<undefined> {
    return undefined;
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  async #poll(id: string, ctx: KoaContextWithOIDC): Promise<AdapterPayload | undefined> {
    const exchange = exchangeOf(ctx);
    checkAuthenticationMethod(ctx);
    if (exchange.cancel) return this.#cancel(id, ctx, exchange, exchange.cancel);
    // CIBA Core 11.
    if (deliveryModeOf(ctx.oidc.client) === 'push') throw pushedOnly();
    checkKeyShown(ctx, this.#issuing);
    const [handle, clientId] = [handleOf(id), clientIdOf(ctx)];
    const interval = intervalOf(ctx.oidc.client, this.#settings);
    const proof = proofOf(ctx, this.#issuing);
    if (proof !== undefined) await failClosed(exchange, () => useProof(ctx, proof, this.#store), interval);
    const { client } = ctx.oidc;
    if (client) this.#credentials.learn(ctx.req, client);
    // The server's own code may look for a request before oidc-provider does, or after.
    if (exchange.claim) await this.#unclaim(ctx, exchange);
    const hold = holdOf(ctx.headers, waitOf(client, this.#settings), ctx.res, this.#settings);
    const found =
      this.#polls.passedOn(ctx.res, handle, clientId) ??
      (await failClosed(exchange, () => this.#polls.poll(handle, clientId, hold, true), interval));
    switch (found.result) {
      case 'gone':
      case 'foreign':
        return undefined;
      case 'approved':
        if (found.claim) exchange.claim = this.#won(ctx, { handle, clientId, ...found.claim });
        return this.#redeemable(id, ctx, found);
      case 'pending':
      case 'slow_down':
        exchange.retryAfter = Math.ceil(found.wait / 1000);
        throw withoutTrace(() =>
          found.result === 'pending' ? new errors.AuthorizationPending() : new errors.SlowDown(),
        );
      case 'claimed':
        throw this.#overlapping(ctx, found.wait);
      case 'expired':
        this.#events.emit('poll.expired', { handle, clientId });
        throw new errors.ExpiredToken('the request has expired');
      case 'cancelled':
        throw new errors.AccessDenied('the request was cancelled');
      case 'denied':
        throw denialOf(JSON.parse(found.decision) as Decision);
      case 'redeemed':
        if (this.#settings.replayGrace > 0) return this.#again(id, ctx);
        throw new errors.InvalidGrant('the request is already redeemed');
      case 'delivered':
      case 'undeliverable':
        throw new errors.InvalidGrant('the request is already redeemed');
    }
  }

  /** The answer that has left already, for a client that did not get it. */
  async #again(id: string, ctx: KoaContextWithOIDC): Promise<never> {
    const exchange = exchangeOf(ctx);
    const handle = handleOf(id);
    exchange.again = await failClosed(exchange, () =>
      answerAgain(ctx, this.#issuing, this.#store, handle, id),
    );
    this.#events.emit('redemption.repeated', { handle, clientId: clientIdOf(ctx) });
    throw endOfReplay();
  }

  /** What a client asks for that withdraws its request, on the road of a poll. It is none, and is not counted as one. */
  async #cancel(
    id: string,
    ctx: KoaContextWithOIDC,
    exchange: Exchange,
    cancel: NonNullable<Exchange['cancel']>,
  ): Promise<undefined> {
    const [handle, clientId] = [handleOf(id), clientIdOf(ctx)];
    if (!(await failClosed(exchange, () => cancelOwn(this.#store, handle, clientId, cancel)))) return;
    exchange.cancelled = true;
    throw endOfCancellation();
  }

  /** The approved request as oidc-provider issues from it. The store has judged the time, so this node's clock may not. */
  async #redeemable(
    id: string,
    ctx: KoaContextWithOIDC,
    { accountId, payload, decision, remaining }: Extract<PollResult, { result: 'approved' }>,
  ): Promise<AdapterPayload> {
    const clientId = clientIdOf(ctx);
    const stored = payloadOf({ payload, clientId });
    // The client may be registered for another mode by now: what is pushed is not to be had here as well.
    if (stored.deliveryMode === 'push') throw pushedOnly();
    await checkPinnedKey(ctx, stored.jkt);
    const made = JSON.parse(decision) as Decision;
    if (made.left !== undefined) exchangeOf(ctx).decidedAt = performance.now() - (made.left - remaining);
    const decided = decidedModel(stored, made);
    return { ...decided, ...identity(id, clientId, accountId, remaining) };
  }

  /** The request as the server's own code finds it by its `auth_req_id`. */
  async #peek(id: string): Promise<AdapterPayload | undefined> {
    const stored = await this.#store.read(handleOf(id));
    if (!stored) return undefined;
    const decision = stored.decision === undefined ? undefined : (JSON.parse(stored.decision) as Decision);
    return {
      ...decidedModel(payloadOf(stored), decision),
      ...(USED.has(stored.status) && { consumed: true }),
      ...identity(id, stored.clientId, stored.accountId, stored.remaining),
    };
  }

  /** Another request of the same client holds the claim, or may give back what it redeemed: this one is asked to come again. */
  #overlapping(ctx: KoaContextWithOIDC, wait: number): Error {
    exchangeOf(ctx).retryAfter = seconds(wait);
    return new errors.SlowDown('another request for the same auth_req_id is being answered');
  }
}

/** What the client is told with. A push has no token request to bind its tokens at, so it is bound here (CIBA Core 14). */
function callbackOf(ctx: KoaContextWithOIDC, authReqId: string, mode: 'ping' | 'push'): string {
  const token = String(ctx.oidc.params?.['client_notification_token']);
  const endpoint = notificationEndpointOf(ctx.oidc.client as Client);
  const constraint = mode === 'push' ? exchangeOf(ctx).constraint : undefined;
  const callback: Callback = { authReqId, token, endpoint, constraint };
  return JSON.stringify(callback);
}

function identity(id: string, clientId: string, accountId: string, remaining: number): AdapterPayload {
  const exp = Math.floor(Date.now() / 1000) + (remaining > 0 ? Math.ceil(remaining / 1000) : -1);
  return { jti: id, kind: REQUEST_MODEL, clientId, accountId, exp };
}

function denialOf({ error, errorDescription }: Decision): Error {
  return error === undefined || error === 'access_denied'
    ? new errors.AccessDenied(errorDescription)
    : new errors.CustomOIDCProviderError(error, errorDescription);
}

/** What nearly every poll is answered with is no fault, and nobody looks for where it was made: taking its trace twice costs a poll 3 %. */
function withoutTrace(make: () => Error): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function pushedOnly(): Error {
  return new errors.UnauthorizedClient('the client is told by push and has nothing to ask for here');
}

function clientIdOf(ctx: KoaContextWithOIDC): string {
  const clientId = ctx.oidc.client?.clientId;
  if (clientId === undefined) throw new CibaError('not_attached', 'the client is not authenticated');
  return clientId;
}

const seconds = (milliseconds: number): number => Math.max(1, Math.ceil(milliseconds / 1000));
