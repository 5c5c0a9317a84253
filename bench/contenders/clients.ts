import type { JsonWebKey } from 'node:crypto';
import type { ClientMetadata } from 'oidc-provider';
import { CIBA_GRANT, CLIENTS, type ClientKind, clientOf, HANGING_CLIENT, SECRET } from '../population.js';

/** Where ping clients are told. */
export interface Endpoints {
  readonly prompt: string;
  readonly hanging: string;
}

const client = (id: string, more: Partial<ClientMetadata>): ClientMetadata => ({
  client_id: id,
  grant_types: [CIBA_GRANT],
  response_types: [],
  redirect_uris: [],
  backchannel_token_delivery_mode: 'poll',
  ...more,
});

const all = (kind: ClientKind, more: Partial<ClientMetadata>): ClientMetadata[] =>
  Array.from({ length: CLIENTS[kind] }, (_, index) => client(clientOf(kind, index), more));

const pinged = (endpoint: string): Partial<ClientMetadata> => ({
  client_secret: SECRET,
  backchannel_token_delivery_mode: 'ping',
  backchannel_client_notification_endpoint: endpoint,
});

/** The clients of every server, and those that are pinged where there is somebody to ping. */
export function clientsOf(assertionKey: JsonWebKey, endpoints: Endpoints | undefined): ClientMetadata[] {
  return [
    ...all('secret', { client_secret: SECRET }),
    ...all('assertion', {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [assertionKey as never] },
    }),
    ...(endpoints
      ? [...all('ping', pinged(endpoints.prompt)), client(HANGING_CLIENT, pinged(endpoints.hanging))]
      : []),
  ];
}
