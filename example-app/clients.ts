import type { ClientMetadata } from 'oidc-provider';
import { publicPart, tillKey } from './keys.js';
import type { Settings } from './settings.js';

/** The modes in which the server calls the client (CIBA Core 5). */
export type CalledMode = 'ping' | 'push';

/** How a client hears what came of its request. */
export type Mode = 'poll' | CalledMode;

/** The till that the page is: one a mode, as a client is registered for one alone, and one that shows a number to be matched. */
export type Till = Mode | 'number';

/** What each till authenticates with. */
export const tills = {
  number: { id: 'till-number', secret: 'till-number-secret-0123456789abcdef' },
  poll: { id: 'till-poll', secret: 'till-poll-secret-0123456789abcdef' },
  ping: { id: 'till-ping', secret: 'till-ping-secret-0123456789abcdef' },
  push: { id: 'till-push', secret: 'till-push-secret-0123456789abcdef' },
} as const;

/** The program in `clients/agent.ts`. */
export const agent = { id: 'agent', secret: 'agent-secret-0123456789abcdef' } as const;

/** What all clients have in common: CIBA, and no page to come back to. */
const common = {
  scope: 'openid profile offline_access',
  grant_types: ['urn:openid:params:grant-type:ciba', 'refresh_token'],
  response_types: [],
  redirect_uris: [],
  backchannel_token_delivery_mode: 'poll',
} as const;

/** The clients that the example's server knows from the start. */
export function clients({ ping, push }: Settings['callbacks']): ClientMetadata[] {
  return [
    till('poll'),
    till('ping', ping.url),
    till('push', push.url),
    { ...till('poll'), ...credentials(tills.number), ciba_number_matching: true },
    {
      ...shared(),
      ...credentials(agent),
      client_name: 'Shopping agent',
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

function till(mode: Mode, endpoint?: string): ClientMetadata {
  return {
    ...shared(),
    ...credentials(tills[mode]),
    client_name: 'Corner shop till',
    token_endpoint_auth_method: 'client_secret_basic',
    authorization_details_types: ['payment'],
    // oidc-provider's types do not know push.
    backchannel_token_delivery_mode: mode as 'poll',
    ...(endpoint && { backchannel_client_notification_endpoint: endpoint }),
  };
}

function credentials({ id, secret }: { readonly id: string; readonly secret: string }): ClientCredentials {
  return { client_id: id, client_secret: secret };
}

type ClientCredentials = Pick<ClientMetadata, 'client_id' | 'client_secret'>;

function shared(): Omit<ClientMetadata, 'client_id'> {
  return { ...common, grant_types: [...common.grant_types], response_types: [], redirect_uris: [] };
}
