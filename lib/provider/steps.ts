import type { KoaContextWithOIDC } from 'oidc-provider';
import { plainDescription } from '../request/description.js';
import { CANCEL } from './cancel.js';
import { tellAcknowledged } from './compat-status.js';
import type { Exchange, StepParts } from './exchange.js';
import { BACKCHANNEL_ROUTE, CIBA_GRANT, TOKEN_ROUTE } from './names.js';
import { settleRedemption } from './settle.js';

type Step = (ctx: KoaContextWithOIDC, exchange: Exchange, parts: StepParts) => Promise<void> | void;

/**
 * What is done to an answer after oidc-provider has made it and before it leaves, in this order. `token` stands for the token
 * endpoint with the CIBA grant only.
 */
const STEPS: readonly (readonly [step: Step, ...routes: readonly string[]])[] = [
  [settleRedemption, TOKEN_ROUTE],
  [sayCancelled, TOKEN_ROUTE],
  [sayAgain, TOKEN_ROUTE],
  [addInterval, BACKCHANNEL_ROUTE],
  [addNumber, BACKCHANNEL_ROUTE],
  [sayInvalidClient, BACKCHANNEL_ROUTE, TOKEN_ROUTE],
  [sayUnauthorizedClient, BACKCHANNEL_ROUTE, TOKEN_ROUTE],
  [sayInvalidRequest, BACKCHANNEL_ROUTE],
  [sayNoOrigin, BACKCHANNEL_ROUTE, TOKEN_ROUTE],
  [addRetryAfter, BACKCHANNEL_ROUTE, TOKEN_ROUTE],
  [keepToTheErrorEnvelope, BACKCHANNEL_ROUTE, TOKEN_ROUTE],
  [tellRefusal, BACKCHANNEL_ROUTE],
  [tellTime, BACKCHANNEL_ROUTE],
  [tellAcknowledged, BACKCHANNEL_ROUTE],
  [sayWhetherUserCodesWork, 'discovery'],
  [sayWhereToCancel, 'discovery'],
];

const STEPS_OF: ReadonlyMap<string, readonly Step[]> = new Map(
  STEPS.flatMap(([, ...routes]) => routes).map((route) => [
    route,
    STEPS.filter(([, ...routes]) => routes.includes(route)).map(([step]) => step),
  ]),
);

/** Runs the steps of the route that answered. Most have nothing to wait for, and every wait would cost each answer a promise. */
export function runSteps(
  ctx: KoaContextWithOIDC,
  exchange: Exchange,
  parts: StepParts,
): Promise<void> | void {
  const route = ctx.oidc?.route;
  if (route === undefined) return;
  // A cancellation is ours, also where oidc-provider could not read its form.
  const isOurs = exchange.cancel !== undefined || grantTypeOf(ctx) === CIBA_GRANT;
  if (route === TOKEN_ROUTE && !isOurs) return;
  return run(STEPS_OF.get(route) ?? [], ctx, exchange, parts);
}

function run(steps: readonly Step[], ...answer: Parameters<Step>): Promise<void> | void {
  for (const [index, step] of steps.entries()) {
    const done = step(...answer);
    if (done) return done.then(() => run(steps.slice(index + 1), ...answer));
  }
}

/** Ours: the client has withdrawn its request. */
function sayCancelled(ctx: KoaContextWithOIDC, { cancelled }: Exchange): void {
  if (!cancelled) return;
  ctx.body = null;
  ctx.status = 204;
}

/** Ours: the client has come again for an answer that it did not get. */
function sayAgain(ctx: KoaContextWithOIDC, { again }: Exchange): void {
  if (again === undefined) return;
  ctx.body = again;
  ctx.status = 200;
}

/** CIBA Core 7.3. */
function addInterval(ctx: KoaContextWithOIDC, { interval }: Exchange): void {
  if (ctx.status === 200 && interval !== undefined) ctx.body = { ...(ctx.body as object), interval };
}

/** Ours: what a client that asked for it shows beside the binding message. */
function addNumber(ctx: KoaContextWithOIDC, { number }: Exchange): void {
  if (ctx.status === 200 && number !== undefined)
    ctx.body = { ...(ctx.body as object), matching_number: number };
}

/** RFC 6749 3.2.1, FAPI 1.0 Baseline 5.2.2-19: a `client_id` that is not the client's is told as a client that is none. */
function sayInvalidClient(ctx: KoaContextWithOIDC): void {
  const body = errorBody(ctx);
  if (body?.error !== 'invalid_request' || body.error_description !== 'client_id mismatch') return;
  ctx.status = 401;
  if (ctx.headers.authorization !== undefined)
    ctx.set('WWW-Authenticate', `Basic realm="${ctx.oidc.issuer}"`);
  ctx.body = { error: 'invalid_client', error_description: body.error_description };
}

/** CIBA Core 11, 13: oidc-provider says `invalid_request` of a client that is not registered for the grant. */
function sayUnauthorizedClient(ctx: KoaContextWithOIDC): void {
  const { client } = ctx.oidc;
  const body = errorBody(ctx);
  if (body?.error !== 'invalid_request' || !client || client.grantTypeAllowed(CIBA_GRANT)) return;
  ctx.body = { error: 'unauthorized_client', error_description: 'the client is not registered for CIBA' };
}

/** CIBA Core 13 has neither code: they are those of the authorization endpoint (OIDC Core 3.1.2.6). */
function sayInvalidRequest(ctx: KoaContextWithOIDC): void {
  const body = errorBody(ctx);
  if (body?.error === 'request_not_supported' || body?.error === 'request_uri_not_supported') {
    ctx.body = { ...body, error: 'invalid_request' };
  }
}

/** Ours: oidc-provider says the `Origin` header back, which is whatever somebody has sent. */
function sayNoOrigin(ctx: KoaContextWithOIDC): void {
  const body = errorBody(ctx);
  if (!body?.error_description?.startsWith('origin ')) return;
  ctx.body = { ...body, error_description: 'the client may not be called from this origin' };
}

/** CIBA Core 10.1, RFC 9110 10.2.3. */
function addRetryAfter(ctx: KoaContextWithOIDC, { retryAfter }: Exchange): void {
  if (ctx.status >= 400 && retryAfter !== undefined) ctx.set('Retry-After', String(retryAfter));
}

/** CIBA Core 13, RFC 6749 5.2: two members, and a description of printable ASCII without quotes and backslashes. */
function keepToTheErrorEnvelope(ctx: KoaContextWithOIDC): void {
  const body = errorBody(ctx);
  if (!body) return;
  const { error, error_description: description } = body;
  const plain = plainDescription(description);
  if (plain && plain === description && Object.keys(body).length === 2) return;
  ctx.body = { error, ...(plain && { error_description: plain }) };
}

function tellRefusal(ctx: KoaContextWithOIDC, _exchange: Exchange, { events }: StepParts): void {
  const body = errorBody(ctx);
  if (body) events.emit('request.refused', { clientId: ctx.oidc.client?.clientId, error: body.error });
}

function tellTime(ctx: KoaContextWithOIDC, { began, accepted }: Exchange, { events }: StepParts): void {
  events.time(() => ({
    of: 'backchannel',
    seconds: (performance.now() - began) / 1000,
    outcome: errorBody(ctx)?.error ?? 'accepted',
    failed: ctx.status >= 500,
    handle: accepted,
    clientId: ctx.oidc.client?.clientId,
  }));
}

/** CIBA Core 4: oidc-provider always says yes. */
function sayWhetherUserCodesWork(
  ctx: KoaContextWithOIDC,
  _exchange: Exchange,
  { userCodes }: StepParts,
): void {
  if (ctx.status === 200) {
    ctx.body = { ...(ctx.body as object), backchannel_user_code_parameter_supported: userCodes };
  }
}

/** Ours: no specification has such an endpoint. */
function sayWhereToCancel(ctx: KoaContextWithOIDC): void {
  const body = ctx.body as { backchannel_authentication_endpoint?: string } | undefined;
  const endpoint = body?.backchannel_authentication_endpoint;
  if (ctx.status === 200 && endpoint !== undefined) {
    ctx.body = { ...body, backchannel_cancellation_endpoint: `${endpoint}${CANCEL}` };
  }
}

function grantTypeOf(ctx: KoaContextWithOIDC): unknown {
  return ctx.oidc.params?.['grant_type'];
}

function errorBody(ctx: KoaContextWithOIDC): { error: string; error_description?: string } | undefined {
  const body = ctx.body as { error?: unknown } | null | undefined;
  return ctx.status >= 400 && typeof body?.error === 'string' ? (body as { error: string }) : undefined;
}
