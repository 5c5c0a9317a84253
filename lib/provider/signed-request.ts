import { randomUUID } from 'node:crypto';
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';
import type { Store } from '../store/store.js';
import { exchangeOf } from './exchange.js';
import { duplicateMember } from './json-members.js';
import { BACKCHANNEL_ROUTE } from './names.js';
import { failClosed } from './unavailable.js';

/** The server's own checks of a signed request, as `features.requestObjects.assertJwtClaimsAndHeader` has them. */
export type AssertClaims = (
  ctx: KoaContextWithOIDC,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>>,
  client: Client,
) => Promise<void> | void;

/** What the client authenticates with stays in the form (CIBA Core 7.1.1), and so does the signed request itself. */
const IN_THE_FORM: ReadonlySet<string> = new Set([
  'request',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
]);

/** What the authentication request is made of (CIBA Core 7.1), its profiles' and oidc-provider's parameters included. */
const PARAMETERS: ReadonlySet<string> = new Set([
  'scope',
  'client_notification_token',
  'acr_values',
  'login_hint_token',
  'id_token_hint',
  'login_hint',
  'binding_message',
  'user_code',
  'requested_expiry',
  'request_context',
  'request_uri',
  'authorization_details',
  'resource',
  'claims',
  'dpop_jkt',
  'max_age',
  'nonce',
  'ui_locales',
  'claims_locales',
  'registration',
]);

/** The kinds of JWT that a signed request may say it is (RFC 9101 4, 10.8), in any letter case and without `application/`. */
const TYPES: ReadonlySet<unknown> = new Set([undefined, 'jwt', 'oauth-authz-req+jwt']);

/** The longest life of a signed request under a FAPI profile, in seconds. */
export const HOUR = 3_600;

/** The longest life of any signed request, in seconds: its `jti` is remembered for so long. */
const LONGEST_LIFE = 86_400;

/** How far a client's clock may be ahead, in seconds. */
const TOLERANCE = 60;

/** How long a used request is remembered beyond its end, in milliseconds: oidc-provider tolerates clocks that are apart. */
const REMEMBERED_BEYOND = 60_000;

/**
 * What oidc-provider does not look at in a signed authentication request (CIBA Core 7.1.1), and the server's own checks before it. The
 * signature is checked after this.
 * @throws {errors.InvalidRequest}
 */
export function assertSignedRequest(
  theirs: AssertClaims | undefined,
  extraParams: Iterable<string>,
): AssertClaims {
  const parameters = new Set([...PARAMETERS, ...extraParams]);
  return async (ctx, claims, header, client) => {
    if (theirs) await theirs(ctx, claims, header, client);
    else assertLifetime(ctx, claims);
    if (ctx.oidc.route !== BACKCHANNEL_ROUTE) return;
    const wrong = problemOf(claims, header, client) ?? outsideOf(ctx, parameters);
    if (wrong) throw new errors.InvalidRequest(`the signed request ${wrong}`);
    exchangeOf(ctx).signed = { claims, alg: String(header['alg']) };
  };
}

/** What oidc-provider asks for under its own FAPI profiles where the server has no checks, which this takes the place of. */
function assertLifetime(ctx: KoaContextWithOIDC, claims: Readonly<Record<string, unknown>>): void {
  const oidc = ctx.oidc as unknown as { isFapi?(...profiles: readonly string[]): string | undefined };
  if (!oidc.isFapi?.('1.0 Final', '2.0')) return;
  if (claims['aud'] === undefined || !(lifetimeOf(claims) > 0 && lifetimeOf(claims) <= HOUR)) {
    throw new errors.InvalidRequestObject(
      'the signed request must have aud, and nbf at most an hour before exp',
    );
  }
}

/** From `nbf` to `exp`, in seconds; no number where either is missing. */
export const lifetimeOf = ({ nbf, exp }: Readonly<Record<string, unknown>>): number =>
  Number(exp) - Number(nbf);

function problemOf(
  claims: Readonly<Record<string, unknown>>,
  { alg, typ }: Readonly<Record<string, unknown>>,
  client: Client,
): string | undefined {
  const registered = client.backchannelAuthenticationRequestSigningAlg;
  if (registered === undefined) return 'is not expected: the client has not registered an algorithm for it';
  if (/^(HS|none)/.test(String(alg))) return 'must be signed with a key of the client alone';
  if (
    !TYPES.has(
      typ === undefined
        ? typ
        : String(typ)
            .toLowerCase()
            .replace(/^application\//, ''),
    )
  ) {
    return 'is a JWT of another kind';
  }
  for (const claim of ['exp', 'iat', 'nbf', 'jti', 'iss', 'aud']) {
    if (claims[claim] === undefined || claims[claim] === '') return `must have ${claim}`;
  }
  if (Number(claims['exp']) > Date.now() / 1000 + LONGEST_LIFE) return 'must not live for so long';
  if (Number(claims['iat']) > Date.now() / 1000 + TOLERANCE) return 'was issued in the future';
  // One that reads as a client assertion could be used as one (RFC 9101 10.8).
  if (claims['sub'] === client.clientId) return 'must not have the client as its sub';
  return undefined;
}

/** CIBA Core 7.1.1: no parameter stands beside the signed request, not even with the same value. */
function outsideOf(ctx: KoaContextWithOIDC, parameters: ReadonlySet<string>): string | undefined {
  const form = (ctx.oidc.body ?? {}) as Record<string, unknown>;
  const outside = Object.keys(form).find((name) => parameters.has(name) && !IN_THE_FORM.has(name));
  if (outside !== undefined) return `must hold ${outside}, which stands outside it`;
  const [, payload = ''] = String(form['request']).split('.');
  return duplicateMember(Buffer.from(payload, 'base64url').toString()) ? 'names a member twice' : undefined;
}

/**
 * The `request_context` of a signed request, which is a JSON object there (FAPI-CIBA 5.3): oidc-provider makes `[object Object]` of it.
 * What is stored with the request is its JSON text.
 */
export function signedContext(ctx: KoaContextWithOIDC): string | undefined {
  const context = exchangeOf(ctx).signed?.claims['request_context'];
  if (context === undefined || typeof context === 'string') return undefined;
  const text = JSON.stringify(context);
  if (ctx.oidc.params) ctx.oidc.params['request_context'] = text;
  return text;
}

/**
 * Uses a signed request up, whose signature has been checked: another one with the same `jti` is refused for as long as it could be sent
 * again (CIBA Core 7.1.1). Whatever comes of it, the client signs another one.
 * @throws {errors.InvalidRequest}
 * @throws {errors.TemporarilyUnavailable} with 503 where the store does not answer
 */
export async function useSignedRequest(
  ctx: KoaContextWithOIDC,
  { jti, exp }: Readonly<Record<string, unknown>>,
  store: Store,
  { timeOffset }: Settings,
): Promise<void> {
  const lifetime = Number(exp) * 1000 - Date.now() - timeOffset() + REMEMBERED_BEYOND;
  const id = JSON.stringify([ctx.oidc.client?.clientId, jti]);
  const first = await failClosed(exchangeOf(ctx), () =>
    store.useOnce('signed_request', id, Math.max(REMEMBERED_BEYOND, lifetime), randomUUID()),
  );
  if (!first) throw new errors.InvalidRequest('the signed request was used before');
}
