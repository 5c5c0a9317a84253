import type { ClientMetadata } from 'oidc-provider';
import type { ConfigurationWithCiba } from 'oidc-provider-ciba';

/** The clients of the delivery specs, by how they are told. */
export const TOLD = {
  ping: { client_id: 'pinged', client_secret: 'pinged-secret-0123456789abcdef0123456789' },
  push: { client_id: 'pushed', client_secret: 'pushed-secret-0123456789abcdef0123456789' },
} as const;

export type ToldMode = keyof typeof TOLD;

/** A server whose clients, those of these modes, are told at the receiver. */
export function tellingConfiguration(
  receiver: string,
  modes: readonly ToldMode[] = ['ping', 'push'],
): ConfigurationWithCiba {
  const clients = modes.map(
    (mode): ClientMetadata => ({
      ...TOLD[mode],
      grant_types: ['urn:openid:params:grant-type:ciba', 'refresh_token'],
      response_types: [],
      redirect_uris: [],
      backchannel_token_delivery_mode: mode as 'ping',
      backchannel_client_notification_endpoint: `${receiver}/${mode}`,
    }),
  );
  return {
    clients,
    async findAccount(_ctx, sub) {
      return { accountId: sub, claims: () => ({ sub }) };
    },
    cookies: { keys: ['delivery specs sign nothing of worth'] },
    ttl: {
      AccessToken: 3600,
      Grant: 3600,
      IdToken: 3600,
      RefreshToken: 3600,
      BackchannelAuthenticationRequest: 600,
    },
    features: {
      ciba: { enabled: true, deliveryModes: ['poll', 'ping', 'push'] },
      devInteractions: { enabled: false },
    },
  };
}
