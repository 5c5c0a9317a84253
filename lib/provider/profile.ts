import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { Client, ClientMetadata, KoaContextWithOIDC } from 'oidc-provider';
import { errors } from 'oidc-provider';
import type { Settings } from '../settings/settings.js';
import { exchangeOf } from './exchange.js';
import { HOUR, lifetimeOf } from './signed-request.js';

/** Client metadata: the profile that this client is held to, where the server is not. */
export const PROFILE = 'ciba_profile';

/** The one profile there is. */
export const FAPI = 'fapi-ciba';

/** FAPI 1.0 Advanced 5.2.2-14. */
const AUTHENTICATION: ReadonlySet<unknown> = new Set([
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
]);

/** FAPI 1.0 Advanced 8.6. */
const ALGORITHMS: ReadonlySet<unknown> = new Set(['PS256', 'ES256']);

/** FAPI 1.0 Baseline 5.2.2-5, in bits. */
const SHORTEST_RSA = 2_048;

/** What a client of the profile is like, each with the sentence for one that is not. `undefined` is what the server has by default. */
const CLIENT_RULES: readonly (readonly [isKept: (metadata: ClientMetadata) => boolean, sentence: string])[] =
  [
    [
      (metadata) => (metadata.backchannel_token_delivery_mode as string | undefined) !== 'push',
      'backchannel_token_delivery_mode must not be push',
    ],
    [
      (metadata) => AUTHENTICATION.has(metadata.token_endpoint_auth_method),
      `token_endpoint_auth_method must be one of ${[...AUTHENTICATION].join(', ')}`,
    ],
    [
      ({ token_endpoint_auth_method: method, token_endpoint_auth_signing_alg: alg }) =>
        method !== 'private_key_jwt' || ALGORITHMS.has(alg),
      'token_endpoint_auth_signing_alg must be PS256 or ES256',
    ],
    [
      (metadata) => ALGORITHMS.has(metadata.backchannel_authentication_request_signing_alg),
      'backchannel_authentication_request_signing_alg must be PS256 or ES256',
    ],
    [
      (metadata) => ALGORITHMS.has(metadata.id_token_signed_response_alg),
      'id_token_signed_response_alg must be PS256 or ES256',
    ],
    [
      (metadata) =>
        metadata['tls_client_certificate_bound_access_tokens'] === true ||
        metadata['dpop_bound_access_tokens'] === true,
      'tls_client_certificate_bound_access_tokens or dpop_bound_access_tokens must be true',
    ],
    [(metadata) => !Object.values(metadata).includes('RSA1_5'), 'RSA1_5 must not be used'],
    [
      // oidc-provider looks at the form of the keys afterwards.
      ({ jwks }) => [(jwks as { keys?: JsonWebKey[] } | undefined)?.keys ?? []].flat().every(isLongEnough),
      `RSA keys must have at least ${SHORTEST_RSA} bits`,
    ],
  ];

/** Why a client cannot be one of the profile; nothing where it can. */
export function profileProblem(metadata: ClientMetadata): string | undefined {
  return CLIENT_RULES.find(([isKept]) => !isKept(metadata))?.[1];
}

/** Whether a client is held to the FAPI-CIBA profile: every one is where the server is. */
export function isFapi(client: Client | ClientMetadata | undefined, { profile }: Settings): boolean {
  return profile === FAPI || client?.[PROFILE] === FAPI;
}

/**
 * What the profile asks of a request of one of its clients (FAPI-CIBA 5.2.2), after its signature was checked.
 * @throws {errors.InvalidRequest} {errors.UnauthorizedClient}
 */
export function checkProfile(ctx: KoaContextWithOIDC, settings: Settings): void {
  const client = ctx.oidc.client as Client;
  if (!isFapi(client, settings)) return;
  // A client from before the profile, or one from elsewhere than the registration.
  const unfit = profileProblem(client.metadata());
  if (unfit) throw new errors.UnauthorizedClient(`the client does not keep to the profile: ${unfit}`);
  const { signed } = exchangeOf(ctx);
  if (!signed) throw new errors.InvalidRequest('the request must be signed');
  if (!ALGORITHMS.has(signed.alg))
    throw new errors.InvalidRequest('the request must be signed with PS256 or ES256');
  const lifetime = lifetimeOf(signed.claims);
  if (!(lifetime > 0 && lifetime <= HOUR)) {
    throw new errors.InvalidRequest('the signed request must live for an hour at most, from nbf to exp');
  }
  const context = signed.claims['request_context'];
  if (context !== undefined && (typeof context !== 'object' || context === null || Array.isArray(context))) {
    throw new errors.InvalidRequest('request_context must be a JSON object');
  }
  const { binding_message: message, authorization_details: details } = ctx.oidc.params ?? {};
  if (message === undefined && details === undefined) {
    throw new errors.InvalidRequest('binding_message is required where there are no authorization_details');
  }
}

function isLongEnough(jwk: JsonWebKey | null): boolean {
  if (jwk?.kty !== 'RSA') return true;
  try {
    const { modulusLength = 0 } = createPublicKey({ key: jwk, format: 'jwk' }).asymmetricKeyDetails ?? {};
    return modulusLength >= SHORTEST_RSA;
  } catch {
    return false;
  }
}
