import type { StoredRequest } from '../store/store.js';

/** One authorization detail (RFC 9396). */
export interface AuthorizationDetail {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** What a request carries besides what the store itself judges: opaque to the store, JSON there. */
export interface RequestPayload {
  /** The model's payload as oidc-provider made it, less what the store holds and less every secret. */
  readonly model: Readonly<Record<string, unknown>>;
  /** How long it was to live when it was accepted, in seconds. */
  readonly life?: number | undefined;
  /** The client's name when it asked. */
  readonly clientName?: string | undefined;
  /** How the client is told of the outcome, where it does not poll for it. */
  readonly deliveryMode?: 'ping' | 'push' | undefined;
  /** Whether an approval must reach one of the `acr_values` asked for. */
  readonly requireAcr?: boolean | undefined;
  /** The number on the asking screen that an approval must come with: two digits. It is shown to nobody else. */
  readonly number?: string | undefined;
  /** The thumbprint of the key that the token request must prove, where the request was tied to one. */
  readonly jkt?: string | undefined;
}

/** What the person decided, as the token endpoint needs it. */
export interface Decision {
  /** What was left of the request's life when it was decided, in milliseconds: how long ago that is follows from what is left now. */
  readonly left?: number | undefined;
  /** For an approval: what the issued tokens build on. */
  readonly grantId?: string | undefined;
  /** Whether that grant was made for this approval alone. */
  readonly madeGrant?: boolean | undefined;
  /** Where the person granted less than was asked for: what counts from then on, for refresh tokens too. */
  readonly scope?: string | undefined;
  readonly acr?: string | undefined;
  readonly amr?: string[] | undefined;
  readonly authTime?: number | undefined;
  readonly sessionUid?: string | undefined;
  readonly expiresWithSession?: boolean | undefined;
  readonly sid?: string | undefined;
  readonly rar?: AuthorizationDetail[] | undefined;
  /** Whether the number of the asking screen was given, where there is one. */
  readonly numberMatched?: boolean | undefined;
  /** For a denial: what the client is told. */
  readonly error?: string | undefined;
  readonly errorDescription?: string | undefined;
}

/** How the client of a stored request is told: it does not poll. */
export function tellingModeOf(payload: string): 'ping' | 'push' {
  const { deliveryMode } = JSON.parse(payload) as RequestPayload;
  return deliveryMode === 'push' ? 'push' : 'ping';
}

/** What tokens are issued from: the request as oidc-provider made it, and what was decided of it. */
export function decidedModel(
  { model }: RequestPayload,
  { left: _, madeGrant: __, numberMatched: ___, ...decided }: Decision = {},
): Readonly<Record<string, unknown>> {
  return { ...model, ...decided };
}

/** Secrets and identifiers of a person that no later step needs: they are not stored (CIBA Core 7.1.2, 15). */
const NOT_STORED: ReadonlySet<string> = new Set([
  'user_code',
  'login_hint',
  'login_hint_token',
  'id_token_hint',
  'client_notification_token',
  'client_assertion',
  'client_secret',
  'request',
]);

/** What the store holds in fields of its own, or, in the case of `jti`, what it must never hold: the `auth_req_id`. */
const HELD_ELSEWHERE: ReadonlySet<string> = new Set(['jti', 'exp', 'iat', 'kind', 'clientId', 'accountId']);

function without(
  from: Readonly<Record<string, unknown>>,
  names: ReadonlySet<string>,
): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(from)) {
    const value = from[name];
    if (value !== undefined && !names.has(name)) kept[name] = value;
  }
  return kept;
}

/** What of a model follows from the rest of it: a store that holds many requests does not hold it twice. */
function implied(
  { scope }: Readonly<Record<string, unknown>>,
  params: Readonly<Record<string, unknown>>,
  clientId: unknown,
): { readonly claims: object; readonly params: Readonly<Record<string, unknown>> } {
  const { acr_values: acrValues } = params;
  // As oidc-provider makes them.
  const claims = acrValues ? { id_token: { acr: { values: String(acrValues).split(' ') } } } : {};
  return { claims, params: { client_id: clientId, scope } };
}

/** The part of a model's payload that may be stored. */
export function storablePayload(
  model: Readonly<Record<string, unknown>>,
  clientName: string | undefined,
  more: Pick<RequestPayload, 'life' | 'deliveryMode' | 'number' | 'requireAcr' | 'jkt'> = {},
): RequestPayload {
  const { claims, ...kept } = without(model, HELD_ELSEWHERE);
  const params = without((model['params'] ?? {}) as Record<string, unknown>, NOT_STORED);
  const follows = implied(kept, params, model['clientId']);
  for (const [name, value] of Object.entries(follows.params)) if (params[name] === value) delete params[name];
  const own = JSON.stringify(claims) === JSON.stringify(follows.claims) ? {} : { claims };
  return { model: { ...kept, ...own, params }, clientName, ...more };
}

/** What {@link storablePayload} made, with what follows from it. */
export function payloadOf({
  payload,
  clientId,
}: Pick<StoredRequest, 'payload' | 'clientId'>): RequestPayload {
  const stored = JSON.parse(payload) as RequestPayload & { readonly model: Record<string, unknown> };
  const { model } = stored;
  const params = (model['params'] ?? {}) as Record<string, unknown>;
  const follows = implied(model, params, clientId);
  model['claims'] ??= follows.claims;
  model['params'] = { ...follows.params, ...params };
  return stored;
}
