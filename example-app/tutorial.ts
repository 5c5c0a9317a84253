import type { ClientMetadata } from 'oidc-provider';
import { type CompatOptions, hashUserCode, matchesUserCode } from 'oidc-provider-ciba';
import type { Settings } from './settings.js';

/** The clients of the tutorial that `docs/tutorial.md` is about, with the secrets that it prints. */
const SECRETS = { 'my-client': 'supersecret', 'smart-home-device': 'device-secret' } as const;

/** The codes that it prints, which are Alice's here. */
const CODES = ['abc123', 'xyz789'] as const;

/** Whom its clients ask: their requests name nobody. */
const SUBJECT = 'alice';

/** What the server takes and knows besides, so that the tutorial's requests can be pasted as they are. */
export interface Tutorial {
  readonly compat: CompatOptions;
  readonly clients: readonly ClientMetadata[];
  verifyUserCode(accountId: string, userCode: string): Promise<boolean>;
}

/**
 * The tutorial's clients, on a server that is called on this machine only: everybody knows their secrets. In production they are not
 * there.
 */
export function tutorial({ production, issuer, tutorialCallback }: Settings): Tutorial | undefined {
  if (production || !/^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(issuer).hostname)) return undefined;
  let enrolled: Promise<readonly string[]> | undefined;
  const approved = ([id, secret]: [string, string]) => [id, { secret, subject: SUBJECT }] as const;
  return {
    compat: {
      allowWeakSecrets: true,
      preapproved: Object.fromEntries(Object.entries(SECRETS).map(approved)),
    },
    clients: [
      client({
        client_id: 'my-client',
        redirect_uris: [tutorialCallback ?? 'https://client.example.com/callback'],
        grant_types: ['authorization_code', 'urn:openid:params:grant-type:ciba'],
        response_types: ['code'],
      }),
      client({
        client_id: 'smart-home-device',
        redirect_uris: [tutorialCallback ?? 'https://device.example.com/callback'],
        grant_types: ['urn:openid:params:grant-type:ciba'],
        response_types: [],
      }),
    ],
    async verifyUserCode(accountId, userCode) {
      // A hash takes its time, so it is not made before somebody needs it. A real server stores it when the person chooses the code.
      enrolled ??= Promise.all(CODES.map((code) => hashUserCode(code)));
      const hashes = accountId === SUBJECT ? await enrolled : [undefined];
      const matching = await Promise.all(hashes.map((hash) => matchesUserCode(userCode, hash)));
      return matching.includes(true);
    },
  };
}

/** What the tutorial's registrations come to, so that its requests work before one of them was sent. */
function client(metadata: ClientMetadata & { readonly client_id: keyof typeof SECRETS }): ClientMetadata {
  return {
    ...metadata,
    client_secret: SECRETS[metadata.client_id],
    scope: 'openid profile',
    backchannel_token_delivery_mode: 'poll',
    token_endpoint_auth_method: 'client_secret_post',
    ciba_compat: true,
    ciba_compat_subject: SUBJECT,
  };
}
