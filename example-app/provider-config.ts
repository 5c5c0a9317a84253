import type { AdapterFactory, ClientMetadata } from 'oidc-provider';
import type { ConfigurationWithCiba } from 'oidc-provider-ciba';
import { findAccount } from './accounts.js';
import { clients } from './clients.js';
import type { ServerKeys } from './keys.js';
import { payments, resourceServer } from './payments.js';
import { PASSKEY_ACR } from './phone-session.js';
import type { Settings } from './settings.js';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** The identity server as it would be without CIBA, but for one feature. */
export function providerConfig(
  keys: ServerKeys,
  adapter: AdapterFactory | undefined,
  callbacks: Settings['callbacks'],
  more: readonly ClientMetadata[],
): ConfigurationWithCiba {
  return {
    ...(adapter && { adapter }),
    clients: [...clients(callbacks), ...more],
    findAccount,
    jwks: keys.jwks,
    cookies: { keys: [...keys.cookies] },
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time'],
      profile: ['name'],
      email: ['email', 'email_verified'],
    },
    acrValues: [PASSKEY_ACR, 'urn:example:phone', 'urn:example:demo'],
    clientBasedCORS: () => false,
    renderError: (ctx, { error, error_description }) => {
      ctx.type = 'text/plain';
      ctx.body = `${error}: ${error_description ?? ''}\n`;
    },
    ttl: {
      AccessToken: HOUR,
      ClientCredentials: HOUR,
      Grant: 14 * DAY,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: 14 * DAY,
      Session: 14 * DAY,
    },
    features: {
      ciba: { enabled: true, deliveryModes: ['poll', 'ping', 'push'] },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientAuthMethod !== 'none' },
      registration: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      resourceIndicators: {
        enabled: true,
        // Who is pushed tokens has no token request in which to name the service again.
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => resourceServer(resource),
      },
      richAuthorizationRequests: payments,
      rpInitiatedLogout: { enabled: false },
    },
  };
}
