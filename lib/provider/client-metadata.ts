import {
  type Client,
  type ClientMetadata,
  type Configuration,
  errors,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import { endpointProblem, hostOf, isLoopbackHost } from '../delivery/endpoint.js';
import type { Settings } from '../options.js';
import type { DeliveryMode } from './feature.js';
import { CIBA_GRANT } from './names.js';

type ExtraClientMetadata = NonNullable<Configuration['extraClientMetadata']>;
type Setting = 'ciba_polling_interval' | 'ciba_default_expiry' | 'ciba_max_expiry';

/** The plugin's own client metadata, in seconds, with the range an administrator may set. */
const RANGES: Readonly<Record<Setting, readonly [least: number, most: number]>> = {
  ciba_polling_interval: [1, 60],
  ciba_default_expiry: [10, 86_400],
  ciba_max_expiry: [10, 86_400],
};
const SETTINGS = Object.keys(RANGES) as Setting[];

const ENDPOINT = 'backchannel_client_notification_endpoint';

/** Where a notification endpoint is kept that oidc-provider would refuse for its `http`. */
const LOOPBACK_ENDPOINT = 'ciba_loopback_notification_endpoint';

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

/** Adds the plugin's client metadata and its rules for CIBA clients to what the server already has. */
export function extendClientMetadata(
  theirs: ExtraClientMetadata | undefined,
  rules: ClientRules,
): ExtraClientMetadata {
  const ours: ReadonlySet<string> = new Set([...SETTINGS, LOOPBACK_ENDPOINT]);
  return {
    properties: [...ours, ...(theirs?.properties ?? []).filter((name) => !ours.has(name))],
    // Theirs is returned as it is: oidc-provider refuses a validator that returns a promise.
    validator(ctx, key, value, metadata): undefined {
      if (!ours.has(key)) return theirs?.validator?.(ctx, key, value, metadata) as undefined;
      const author = rules.authorOf(ctx, metadata.client_id);
      if (key === LOOPBACK_ENDPOINT) {
        if (author === 'client' && value !== undefined) refuse(`${key} cannot be registered`);
        return;
      }
      // The validator is called once a property; what concerns the client as a whole is done at the first.
      if (key === SETTINGS[0]) checkCibaClient(metadata, author, rules);
      checkSetting(
        key as Setting,
        value,
        author === 'client' ? selfServiceRange : administratorRange,
        rules.settings,
      );
    },
  };
}

/**
 * The server's own clients, with each `http` endpoint on this machine's loopback interface moved to where oidc-provider does not
 * look.
 */
export function moveLoopbackEndpoints(
  clients: readonly ClientMetadata[],
  { delivery }: Settings,
): ClientMetadata[] {
  if (!delivery.allowLoopback) return [...clients];
  return clients.map((client) => {
    const endpoint = client[ENDPOINT];
    if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) return client;
    const url = new URL(endpoint);
    if (url.protocol !== 'http:' || !isLoopbackHost(hostOf(url))) return client;
    return {
      ...client,
      [ENDPOINT]: endpoint.replace(/^http:/i, 'https:'),
      [LOOPBACK_ENDPOINT]: endpoint,
    };
  });
}

/** How a client is registered to get its tokens. */
export function deliveryModeOf(client: Client | undefined): DeliveryMode {
  return (client?.backchannelTokenDeliveryMode as DeliveryMode | undefined) ?? 'poll';
}

/** Where a client is registered to be told. */
export function notificationEndpointOf(client: Client): string | undefined {
  return (client[LOOPBACK_ENDPOINT] as string | undefined) ?? client.backchannelClientNotificationEndpoint;
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

/** Least time between two polls of this client, in seconds. */
export function intervalOf(client: Client | undefined, settings: Settings): number {
  return (client?.['ciba_polling_interval'] as number | undefined) ?? settings.interval;
}

/** Life of a request of this client, in seconds, of what it asks for and of what the server gives by default. */
export function expiryOf(
  client: Client | undefined,
  requested: number | undefined,
  fallback: number,
  settings: Settings,
): number {
  const most = client?.['ciba_max_expiry'] as number | undefined;
  const usual = (client?.['ciba_default_expiry'] as number | undefined) ?? fallback;
  if (requested !== undefined) return Math.min(requested, most ?? settings.maxExpiry);
  return Math.min(usual, most ?? usual);
}

function checkCibaClient(metadata: ClientMetadata, author: Author, rules: ClientRules): void {
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
  if (registersItself && metadata.backchannel_user_code_parameter === true && !rules.userCodes) {
    refuse('backchannel_user_code_parameter is not supported by this server');
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

type Range = (key: Setting, settings: Settings) => readonly [least: number, most: number];

function checkSetting(key: Setting, value: unknown, range: Range, settings: Settings): void {
  if (value === undefined) return;
  const [least, most] = range(key, settings);
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) {
    refuse(`${key} must be a whole number of seconds from ${least} to ${most}`);
  }
}

const administratorRange: Range = (key) => RANGES[key];

/** A client that registers itself may only be stricter than the server is. */
const selfServiceRange: Range = (key, settings) => {
  const [least, most] = RANGES[key];
  return key === 'ciba_polling_interval' ? [settings.interval, most] : [least, settings.maxExpiry];
};

function refuse(description: string): never {
  throw new errors.InvalidClientMetadata(description);
}
