import type { Status, StoredRequest } from '../store/store.js';
import { type AuthorizationDetail, type Decision, payloadOf, type RequestPayload } from './payload.js';

/** A request as a person, a device or an operator may see it. The `auth_req_id` is a bearer secret and is never among it. */
export interface RequestView {
  /** Names the request to devices, in URLs and in logs. */
  readonly handle: string;
  readonly status: Status;
  /** The client that asks. */
  readonly clientId: string;
  /** Its `client_name`, when it has one. */
  readonly clientName: string | undefined;
  /** The account that the hint named, which alone may decide. */
  readonly accountId: string;
  /** The scope asked for, space separated. */
  readonly scope: string;
  /** What both screens show, so that the person knows which request this is (CIBA Core 7.1). */
  readonly bindingMessage: string | undefined;
  /** The `acr_values` asked for, in order of preference. */
  readonly acrValues: readonly string[];
  /** The `authorization_details` asked for (RFC 9396). */
  readonly authorizationDetails: readonly AuthorizationDetail[];
  /** The resources asked for (RFC 8707). */
  readonly resources: readonly string[];
  /** The names of the claims asked for one by one (OIDC Core 5.5). */
  readonly claims: readonly string[];
  /** The `request_context` as the client sent it (FAPI-CIBA 5.3). */
  readonly requestContext: unknown;
  /** Whether an approval must come with the number on the asking screen. */
  readonly numberMatching: boolean;
  /** Whether it did, once it was decided. */
  readonly numberMatched: boolean | undefined;
  /** When the request ends, by the store's clock. */
  readonly expiresAt: Date;
  /** Seconds left, 0 when it is over. */
  readonly expiresIn: number;
}

/** Makes the view of a stored request; of what it carries, where that was looked at already. */
export function viewOf(stored: StoredRequest, payload: RequestPayload = payloadOf(stored)): RequestView {
  const { model, clientName, number } = payload;
  const { numberMatched } = JSON.parse(stored.decision || '{}') as Decision;
  const params = (model['params'] ?? {}) as Record<string, unknown>;
  return {
    handle: stored.handle,
    status: stored.status,
    clientId: stored.clientId,
    clientName,
    accountId: stored.accountId,
    scope: String(model['scope'] ?? ''),
    bindingMessage: params['binding_message'] as string | undefined,
    acrValues: words(params['acr_values']),
    authorizationDetails: list(parsed(params['authorization_details'])) as AuthorizationDetail[],
    resources: list(model['resource']) as string[],
    claims: claimNames(model['claims']),
    requestContext: parsed(params['request_context']),
    numberMatching: number !== undefined,
    numberMatched,
    expiresAt: new Date(stored.expiresAt),
    expiresIn: Math.ceil(stored.remaining / 1000),
  };
}

/**
 * The `acr` values that the approval must have one of: those of an essential `acr` claim (OIDC Core 5.5.1.1). It is read from
 * the parameter: in the model's claims oidc-provider has put `acr_values` in its place, where the client sent both.
 */
export function essentialAcrOf({ model }: RequestPayload): readonly string[] {
  const params = (model['params'] ?? {}) as Record<string, unknown>;
  const claims = parsed(params['claims']) as { id_token?: { acr?: EssentialClaim | null } } | undefined;
  const acr = claims?.id_token?.acr;
  if (!acr?.essential) return [];
  return acr.values ?? (acr.value === undefined ? [] : [acr.value]);
}

interface EssentialClaim {
  readonly essential?: boolean;
  readonly value?: string;
  readonly values?: readonly string[];
}

function claimNames(claims: unknown): string[] {
  const { id_token, userinfo } = (claims ?? {}) as { id_token?: object; userinfo?: object };
  return [...new Set([...Object.keys(id_token ?? {}), ...Object.keys(userinfo ?? {})])];
}

const words = (value: unknown): string[] =>
  String(value ?? '')
    .split(' ')
    .filter(Boolean);
const list = (value: unknown): unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];

/** A parameter that is JSON text in a form and a value in a signed request. */
function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
