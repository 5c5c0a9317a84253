import type { AdapterFactory, KoaContextWithOIDC } from 'oidc-provider';
import type { ConfigurationWithCiba } from 'oidc-provider-ciba';

const racer = (id: string) => ({ client_id: id, client_secret: `${id}-secret-0123456789abcdef0123456789` });

/** The client of the race and crash specs, and others like it. */
export const RACER = racer('racer');
export const RACERS = [RACER, racer('racer-2'), racer('racer-3')];

type Found = { readonly kind?: string } | undefined;

/** What both the plugin's server and the control are made with. */
export function raceConfiguration(
  adapter: AdapterFactory | undefined,
  accountAskedFor: (token: Found) => Promise<void> | void,
): ConfigurationWithCiba {
  return {
    ...(adapter && { adapter }),
    clients: RACERS.map((client) => ({
      ...client,
      grant_types: ['urn:openid:params:grant-type:ciba', 'refresh_token'],
      response_types: [],
      redirect_uris: [],
      backchannel_token_delivery_mode: 'poll',
    })),
    async findAccount(_ctx: KoaContextWithOIDC, sub: string, token?: Found) {
      await accountAskedFor(token);
      return { accountId: sub, claims: () => ({ sub }) };
    },
    cookies: { keys: ['race specs sign nothing of worth'] },
    ttl: {
      AccessToken: 3600,
      Grant: 3600,
      IdToken: 3600,
      RefreshToken: 3600,
      BackchannelAuthenticationRequest: 300,
    },
    features: { ciba: { enabled: true }, devInteractions: { enabled: false } },
  };
}
