import type { ClientMetadata } from 'oidc-provider';
import { publicPart, tillKey } from './keys.js';

/** The client that the till page is. */
export const tillPoll = { id: 'till-poll', secret: 'till-poll-secret-0123456789abcdef' } as const;

/** What both clients have in common: CIBA in poll mode, and no page to come back to. */
const common = {
  scope: 'openid profile offline_access',
  grant_types: ['urn:openid:params:grant-type:ciba', 'refresh_token'],
  response_types: [],
  redirect_uris: [],
  backchannel_token_delivery_mode: 'poll',
} as const;

/** The clients that the example's server knows from the start. */
export function clients(): ClientMetadata[] {
  return [
    {
      ...shared(),
      client_id: tillPoll.id,
      client_secret: tillPoll.secret,
      client_name: 'Corner shop till',
      token_endpoint_auth_method: 'client_secret_basic',
      authorization_details_types: ['payment'],
    },
    {
      ...shared(),
      client_id: 'till-jwt',
      client_name: 'Smart home',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [publicPart(tillKey())] },
    },
  ];
}

function shared(): Omit<ClientMetadata, 'client_id'> {
  return { ...common, grant_types: [...common.grant_types], response_types: [], redirect_uris: [] };
}
