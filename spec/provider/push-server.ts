import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { createLocalJWKSet, type JWTVerifyResult, jwtVerify } from 'jose';
import type { ClientMetadata, Configuration } from 'oidc-provider';
import request from 'supertest';
import type { PushGrant, TokenResponse } from '../../lib/delivery/recipients.js';
import { issuingConfigOf } from '../../lib/provider/issuing-config.js';
import { type PushTokens, pushTokens } from '../../lib/provider/push-tokens.js';
import { baseConfiguration, findAccount, pollClient } from '../support/configuration.js';
import { ISSUER, type PluginServer, type PluginServerOptions, pluginServer } from '../support/server.js';

export const AUTH_REQ_ID = 'the-auth-req-id-of-the-request';

/** Signature algorithms that the server has keys for. */
export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'RS512', 'Ed25519'] as const;

const jwk = (key: ReturnType<typeof generateKeyPairSync>['privateKey'], kid: string): JsonWebKey => ({
  ...key.export({ format: 'jwk' }),
  kid,
  use: 'sig',
});
const keys = [
  jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'rsa'),
  jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'p256'),
  jwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey, 'p384'),
  jwk(generateKeyPairSync('ed25519').privateKey, 'ed'),
];

/** A client that asks, and is told by push. */
export function pushClient(id: string, more: Partial<ClientMetadata> = {}): ClientMetadata {
  return pollClient(id, {
    backchannel_token_delivery_mode: 'push' as never,
    backchannel_client_notification_endpoint: `https://${id}.example/cb`,
    ...more,
  });
}

/** A server that offers push, and what issues its tokens. */
export interface PushServer extends PluginServer {
  readonly tokens: PushTokens;
}

/** Makes one with a client `pusher`; `config`, `features` and `client` are what differs from the base. */
export function pushServer(
  options: Omit<PluginServerOptions, 'hooks'> & { readonly client?: Partial<ClientMetadata> } = {},
): PushServer {
  const config: Configuration = {
    jwks: { keys: keys as never },
    enabledJWA: { idTokenSigningAlgValues: [...ALGORITHMS] },
    ...options.config,
    clients: [pollClient('till'), ...(options.config?.clients ?? [pushClient('pusher', options.client)])],
  };
  const server = pluginServer({ ...options, config, hooks: { deliveryModes: ['poll', 'push'] } });
  const base = baseConfiguration();
  const features = { ...base.features, ...options.features } as Configuration['features'];
  const issuing = issuingConfigOf({ ...base, ...config, features }, config.findAccount ?? findAccount);
  return { ...server, tokens: pushTokens(server.provider, issuing) };
}

/** What a person approved. */
export interface Approved {
  readonly scope?: string;
  readonly resources?: readonly string[];
  readonly claims?: readonly string[];
  readonly clientId?: string;
  readonly model?: Readonly<Record<string, unknown>>;
  readonly decision?: PushGrant['decision'];
  readonly constraint?: PushGrant['constraint'];
}

/** The approval of a request, with a grant of what was asked for. */
export async function approved(
  { provider }: PushServer,
  { scope = 'openid', resources = [], claims = [], clientId = 'pusher', ...more }: Approved = {},
): Promise<PushGrant> {
  const grant = new provider.Grant({ accountId: 'alice', clientId });
  grant.addOIDCScope(scope);
  if (claims.length > 0) grant.addOIDCClaims([...claims]);
  for (const resource of resources) grant.addResourceScope(resource, scope);
  return {
    authReqId: AUTH_REQ_ID,
    clientId,
    accountId: 'alice',
    model: { scope, params: { scope, client_id: clientId }, ...more.model },
    decision: { grantId: await grant.save(), ...more.decision },
    constraint: more.constraint,
  };
}

/** Approves, and issues the tokens. */
export async function pushed(server: PushServer, what: Approved = {}): Promise<TokenResponse> {
  return server.tokens.issue(await approved(server, what));
}

/** What an ID Token says, verified with the keys that the server publishes. */
export async function verified(
  server: PluginServer,
  idToken: unknown,
  audience = 'pusher',
): Promise<JWTVerifyResult> {
  const { body } = await request(server.app).get('/jwks');
  return jwtVerify(String(idToken), createLocalJWKSet(body), { issuer: ISSUER, audience });
}
