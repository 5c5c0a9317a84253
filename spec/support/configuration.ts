import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import type { Account, ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider';

export const ISSUER = 'http://op.example';
export const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';
export const BACKCHANNEL = '/backchannel';
export const TOKEN = '/token';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const signingKey: JsonWebKey = { ...key, kid: 'op-key', use: 'sig', alg: 'RS256' };

/** Who can be asked, by what a client calls them. */
const ACCOUNTS: Readonly<Record<string, string>> = { alice: 'Alice Adams', bob: 'Bob Brown' };

/** The account of a hint: `alice`, or `alice@op.example`. */
export function accountOf(hint: string): string | undefined {
  const accountId = hint.replace('@op.example', '');
  return Object.hasOwn(ACCOUNTS, accountId) ? accountId : undefined;
}

export async function findAccount(_ctx: unknown, accountId: string): Promise<Account | undefined> {
  const name = ACCOUNTS[accountId];
  return name === undefined ? undefined : { accountId, claims: async () => ({ sub: accountId, name }) };
}

/** A client that asks and polls, and nothing else. */
export function pollClient(id: string, more: Partial<ClientMetadata> = {}): ClientMetadata {
  return {
    client_id: id,
    client_secret: `${id}-secret`,
    client_name: `The ${id}`,
    grant_types: [CIBA_GRANT, 'refresh_token'],
    backchannel_token_delivery_mode: 'poll',
    redirect_uris: [],
    response_types: [],
    ...more,
  };
}

/** Registered for the redirect flow only. */
export const webClient: ClientMetadata = {
  client_id: 'web',
  client_secret: 'web-secret',
  redirect_uris: ['https://web.example/cb'],
};

/** Asks with a code that only the person knows. */
export const codeClient: ClientMetadata = pollClient('coder', { backchannel_user_code_parameter: true });

/** Has settings of its own, given by the administrator. */
export const patientClient: ClientMetadata = pollClient('patient', {
  ciba_polling_interval: 20,
  ciba_default_expiry: 60,
  ciba_max_expiry: 120,
});

/** As the default of oidc-provider, which would print a notice. */
function lifetime({ oidc }: KoaContextWithOIDC): number {
  return Math.min(Number(oidc.params?.['requested_expiry'] ?? 300), 600);
}

/** What both kinds of server have in common. */
export function baseConfiguration(): Configuration {
  return {
    clients: [pollClient('till'), pollClient('kiosk'), codeClient, patientClient, webClient],
    findAccount,
    claims: { openid: ['sub'], profile: ['name'] },
    scopes: ['openid', 'offline_access'],
    jwks: { keys: [signingKey as never] },
    cookies: { keys: ['cookie key of the tests'] },
    interactions: { url: () => '/sign-in' },
    // With these set oidc-provider has no notice to print.
    ttl: {
      AccessToken: 3600,
      BackchannelAuthenticationRequest: lifetime,
      Grant: 7200,
      IdToken: 3600,
      RefreshToken: 7200,
    },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: async () => true },
      revocation: { enabled: true, allowedPolicy: async () => true },
    },
  };
}
