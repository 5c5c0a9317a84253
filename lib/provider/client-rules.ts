import { type Client, type ClientMetadata, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { endpointProblem } from '../delivery/endpoint.js';
import type { Settings } from '../settings/settings.js';
import { deliveryModeOf, ENDPOINT, LOOPBACK_ENDPOINT } from './client-endpoint.js';
import { CIBA_GRANT } from './names.js';
import { isFapi, profileProblem } from './profile.js';

/**
 * Who wrote a client's metadata: the client itself, the administrator in the server's configuration, or whoever put the client in
 * the server's adapter, which may have been long ago.
 */
export type Author = 'client' | 'administrator' | 'adapter';

/** What the rules for CIBA clients are made of. */
export interface ClientRules {
  readonly settings: Settings;
  /** Whether the server can check user codes. */
  readonly userCodes: boolean;
  /** The mode of clients that name none. */
  readonly defaultMode: string | undefined;
  readonly authorOf: (ctx: KoaContextWithOIDC | undefined, clientId: string | undefined) => Author;
}

/** The rules for clients that use CIBA, whatever else they do (CIBA Core 4). */
export function checkCibaClient(metadata: ClientMetadata, author: Author, rules: ClientRules): void {
  const registersItself = author === 'client';
  const mode = metadata.backchannel_token_delivery_mode as string | undefined;
  const grants = listOf(metadata.grant_types);
  // What the adapter holds may be older than the rules for endpoints, which are kept to again whenever one is sent to.
  if ((mode === 'ping' || mode === 'push') && author !== 'adapter') checkEndpoint(metadata, rules);
  if (mode === 'push') {
    beginPush(metadata, grants);
  } else if (!grants.includes(CIBA_GRANT)) {
    if (registersItself && (mode === 'poll' || mode === 'ping') && mode !== rules.defaultMode) {
      refuse(`grant_types must have ${CIBA_GRANT} for a client of mode ${mode}`); // CIBA Core 4
    }
    return;
  }
  // A client from before the plugin goes on with its other grants: there, its requests for CIBA are refused one by one.
  if (registersItself && metadata.token_endpoint_auth_method === 'none') {
    refuse('token_endpoint_auth_method must not be none for a client that uses CIBA'); // CIBA Core 4, 7.1
  }
  const [implicit] = listOf(metadata.response_types).filter((type) => /\b(id_)?token\b/.test(String(type)));
  if (registersItself && implicit !== undefined && !grants.includes('implicit')) {
    refuse(`response_types must not have ${implicit} without the grant type implicit`); // RFC 7591 2.1
  }
  if (registersItself && metadata.backchannel_user_code_parameter === true && !rules.userCodes) {
    refuse('backchannel_user_code_parameter is not supported by this server');
  }
  // What the adapter holds may be older than the profile: its requests are refused one by one.
  if (author !== 'adapter' && isFapi(metadata, rules.settings)) {
    const wrong = profileProblem(metadata);
    if (wrong) refuse(wrong);
  }
  // The example of CIBA Core 4 names neither: a client that only asks here has no redirect flow, whatever the default is.
  const noRedirects =
    metadata.redirect_uris === undefined && (mode === 'push' || !grants.includes('authorization_code'));
  if (noRedirects && listOf(metadata.response_types).join() === 'code') metadata.response_types = [];
  if (mode === 'push' && metadata.subject_type === 'pairwise') setSector(metadata);
}

/** CIBA Core 4: a push client need not list the grant, which oidc-provider asks every client of the endpoint for. */
function beginPush(metadata: ClientMetadata, grants: readonly string[]): void {
  if (!grants.includes(CIBA_GRANT)) metadata.grant_types = [...grants, CIBA_GRANT];
}

/** CIBA Core 4, 9, 14. */
function checkEndpoint(metadata: ClientMetadata, { settings }: ClientRules): void {
  const moved = metadata[LOOPBACK_ENDPOINT];
  const endpoint = moved ?? metadata[ENDPOINT];
  if (endpoint === undefined) refuse(`${ENDPOINT} is mandatory property`);
  const wrong =
    typeof endpoint === 'string' ? endpointProblem(endpoint, settings.delivery) : 'must be an https URL';
  if (wrong) refuse(`${ENDPOINT} ${wrong}`);
}

/** oidc-provider takes the host of `jwks_uri`; a push client's sector is the host of its endpoint (CIBA Core 4). */
function setSector(metadata: ClientMetadata): void {
  if (metadata.sector_identifier_uri !== undefined) return;
  if (!hasPushOnly(listOf(metadata.grant_types), listOf(metadata.response_types))) {
    refuse('sector_identifier_uri is mandatory property');
  }
  metadata.sector_identifier_uri = metadata[ENDPOINT];
}

/** Whether all that a client can get is pushed to it, or was got with what had been. */
function hasPushOnly(grants: readonly string[], responseTypes: readonly string[]): boolean {
  const others = grants.filter((grant) => ![CIBA_GRANT, 'refresh_token', ...REDIRECT_GRANTS].includes(grant));
  return others.length === 0 && responseTypes.length === 0;
}

/** Of no use without response types; oidc-provider takes them out. */
const REDIRECT_GRANTS: readonly string[] = ['authorization_code', 'implicit'];

/** Metadata is looked at before oidc-provider has looked at its types. */
function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value : [];
}

/**
 * Whether a pairwise client's sector is that of its notification endpoint (CIBA Core 4), to which all it gets is sent: then there
 * is no document to be fetched that says so.
 */
export function isSectorOfEndpoint(client: Client): boolean {
  const { sectorIdentifierUri, backchannelClientNotificationEndpoint: endpoint } = client;
  return (
    deliveryModeOf(client) === 'push' &&
    sectorIdentifierUri === endpoint &&
    hasPushOnly(client.grantTypes ?? [], client.responseTypes ?? [])
  );
}

/** Ends a registration, or the look-up of a client. */
export function refuse(description: string): never {
  throw new errors.InvalidClientMetadata(description);
}
