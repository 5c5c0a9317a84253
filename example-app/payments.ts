import {
  type AuthorizationDetail,
  type AuthorizationDetailsForIntrospection,
  errors,
  type ResourceServer,
  type RichAuthorizationRequestsActiveConfiguration,
} from 'oidc-provider';

/** The service that takes payments: an access token with a payment in it is for nobody else. */
export const PAYMENTS_API = 'urn:example:payments';

const MEMBERS: Readonly<Record<string, RegExp>> = {
  type: /^payment$/,
  amount: /^\d{1,5}\.\d{2}$/,
  currency: /^[A-Z]{3}$/,
  payee: /^[\p{L}\p{N} .,'&-]{1,40}$/u,
};

/**
 * Payments as authorization details (RFC 9396): what the person agrees to is not a sentence alone but an amount and a payee,
 * which the access token then carries.
 */
export const payments: RichAuthorizationRequestsActiveConfiguration & {
  authorizationDetailsForIntrospection: AuthorizationDetailsForIntrospection;
} = {
  enabled: true,
  types: { payment: { validate: (_ctx, detail) => checkPayment(detail) } },
  // What the person approved is what the token gets: no more, no less.
  authorizationDetailsForGrantSource: (_ctx, source) => source.rar,
  authorizationDetailsForAccessToken: (_ctx, _token, source) => source?.rar,
  authorizationDetailsForIntrospection: (_ctx, token) => token.rar,
};

function checkPayment(detail: AuthorizationDetail): void {
  for (const name of Object.keys(detail)) {
    if (!Object.hasOwn(MEMBERS, name)) {
      throw new errors.InvalidAuthorizationDetails(`a payment has no ${name}`);
    }
  }
  for (const [name, form] of Object.entries(MEMBERS)) {
    const value = detail[name];
    if (typeof value !== 'string' || !form.test(value)) {
      throw new errors.InvalidAuthorizationDetails(`a payment needs a valid ${name}`);
    }
  }
}

/** The services that access tokens can be asked for (RFC 8707). */
export function resourceServer(resource: string): ResourceServer {
  if (resource !== PAYMENTS_API) throw new errors.InvalidTarget();
  return { scope: '', audience: PAYMENTS_API, accessTokenFormat: 'opaque' };
}
