import { createHash, timingSafeEqual } from 'node:crypto';
import type Provider from 'oidc-provider';
import type { Paths } from '../../provider/attach.js';
import { LOOPBACK_ENDPOINT } from '../../provider/client-endpoint.js';
import { approvalOf, COMPAT, COMPAT_SUBJECT } from '../../provider/compat.js';
import { CIBA_GRANT } from '../../provider/names.js';
import type { CompatSettings } from '../../settings/compat.js';
import { pathsOf } from './endpoint-aliases.js';
import { GRANT_ALIAS, realGrants } from './grant-alias.js';

type Metadata = Readonly<Record<string, unknown>>;

/** What is known when a registration of the dialect is looked at. */
export interface RegistrationParts {
  readonly provider: Provider;
  readonly paths: Paths;
  readonly compat: CompatSettings;
}

/** A registration as it goes on to the provider, or why it does not. */
export type Rewritten =
  | { readonly clientId: string; readonly secret: string; readonly metadata: Metadata }
  | { readonly status: number; readonly error: string; readonly error_description: string };

/** What the dialect leaves out; a client of it polls, and sends its secret in the form. */
const DEFAULTS: Metadata = {
  backchannel_token_delivery_mode: 'poll',
  token_endpoint_auth_method: 'client_secret_post',
};

/** Endpoints of the server's own, which a client of the dialect names as its metadata. They are never called. */
const OWN_ENDPOINTS = {
  backchannel_authentication_endpoint: 'backchannel',
  token_endpoint: 'token',
} as const;

/** What only an administrator may set: the person of a client comes from its approval where this is not there. */
const NOT_REGISTERED: ReadonlySet<string> = new Set([COMPAT_SUBJECT, LOOPBACK_ENDPOINT]);

/** Whether a client registers itself in the dialect, which only the name of the grant shows for certain. */
export function isRegistration({ grant_types: grants }: Metadata): boolean {
  return Array.isArray(grants) && grants.includes(GRANT_ALIAS);
}

/**
 * What a registration says in the words of the standard. The client chooses its id and its secret, so an administrator must have approved
 * exactly these beforehand; the id must be free, or the client's very own.
 */
export async function rewriteRegistration(
  given: Metadata,
  { provider, paths, compat }: RegistrationParts,
): Promise<Rewritten> {
  const { client_id: id, client_secret: secret, ...metadata } = given;
  const clientId = String(id);
  const approved = approvalOf(compat, clientId);
  if (!approved || !isSame(String(secret), approved.secret)) {
    return refused(
      403,
      'access_denied',
      'no client with this client_id and client_secret may register itself',
    );
  }
  const { issuer } = provider;
  const wrong = compat.opEndpoints === 'verify' && wrongEndpoint(metadata, issuer, paths);
  if (wrong) return refused(400, 'invalid_client_metadata', `${wrong} is not an endpoint of this server`);
  const wanted = standard(metadata);
  const existing = await provider.Client.find(clientId);
  if (existing) {
    const registered: Metadata = { ...existing.metadata() };
    const other = Object.keys({ ...wanted, client_secret: '' }).find(
      (name) =>
        JSON.stringify(registered[name]) !==
        JSON.stringify(name === 'client_secret' ? approved.secret : wanted[name]),
    );
    if (other) return refused(400, 'invalid_client_metadata', `client_id is taken, with another ${other}`);
  }
  return { clientId, secret: approved.secret, metadata: { ...settingsOf(existing?.metadata()), ...wanted } };
}

/** What has been set for the client since: registering again does not take it back. What may not be registered at all is left out. */
function settingsOf(registered: object = {}): Metadata {
  const kept = Object.entries(registered).filter(
    ([name, value]) => name.startsWith('ciba_') && !NOT_REGISTERED.has(name) && value !== undefined,
  );
  return Object.fromEntries(kept);
}

function standard(metadata: Metadata): Metadata {
  const { response_types: types, grant_types: grants, ...others } = metadata;
  const real = realGrants(grants as readonly unknown[]);
  // The implicit flow's type, of a client that has no redirect flow at all.
  const responseTypes = real.join() === CIBA_GRANT && String(types) === 'token' ? [] : types;
  const kept = Object.entries(others).filter(([name]) => !Object.hasOwn(OWN_ENDPOINTS, name));
  return {
    ...DEFAULTS,
    ...Object.fromEntries(kept),
    grant_types: real,
    ...(responseTypes !== undefined && { response_types: responseTypes }),
    [COMPAT]: true,
  };
}

/** The name of a member that is no endpoint of this server's. */
function wrongEndpoint(metadata: Metadata, issuer: string, paths: Paths): string | undefined {
  const base = issuer.replace(/\/$/, '');
  return Object.entries(OWN_ENDPOINTS).find(
    ([name, endpoint]) =>
      metadata[name] !== undefined &&
      !pathsOf(endpoint, paths).some((path) => `${base}${path}` === metadata[name]),
  )?.[0];
}

const refused = (status: number, error: string, description: string): Rewritten => ({
  status,
  error,
  error_description: description,
});

/** Takes as long however much of a guess is right: the digests of any two strings have the same length. */
function isSame(given: string, expected: string): boolean {
  const [one, other] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
